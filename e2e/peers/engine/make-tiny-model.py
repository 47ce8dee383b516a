#!/usr/bin/env python3
"""Writes a tiny llama model (GGUF) of seeded random weights, so that real engines run without weights to fetch.

usage: make-tiny-model.py OUT.gguf [--seed N] [--context N]

The text it writes is word salad. That is enough: a metering proxy reads token counts, not sense.
"""
import argparse

import gguf
import numpy as np

LAYERS, WIDTH, HEADS, KV_HEADS, FEED_FORWARD = 2, 64, 4, 2, 128

# Short, common words, so that a reply is legible text and one token is about one word.
WORDS = """the of and to in is it for on with as at by from an be this that are was not or have but one all were
when we there can more if no out so up into them then its only some could time these two may other over new
like first any now such well also use way about many must before through back years where much your work
token hour cost bill meter ledger usage org user group price budget credit invoice model stream request reply
key tier rate count day month region zone node machine cluster network disk gateway record event batch""".split()

# Jinja, as a real chat model ships it: a prompt costs more tokens than its words, which naive counters miss.
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def vocabulary():
    """Tokens, scores and types in SentencePiece order: specials, 256 byte tokens, letters, words."""
    kind = gguf.TokenType
    rows = [("<unk>", 0.0, kind.UNKNOWN), ("<s>", 0.0, kind.CONTROL), ("</s>", 0.0, kind.CONTROL)]
    rows += [("<|im_start|>", 0.0, kind.CONTROL), ("<|im_end|>", 0.0, kind.CONTROL)]
    rows += [(f"<0x{b:02X}>", 0.0, kind.BYTE) for b in range(256)]  # every input has a token: no prompt can fail
    # SentencePiece merges pairs upward, so each prefix of a word has to be a token too.
    pieces = {"▁"}
    for word in WORDS:
        for end in range(1, len(word) + 1):
            pieces.add("▁" + word[:end])
            pieces.add(word[end - 1])
    ordered = sorted(pieces, key=lambda p: (-len(p), p))
    rows += [(piece, float(len(piece)), kind.NORMAL) for piece in ordered]
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--context", type=int, default=4096)
    args = parser.parse_args()

    rng = np.random.default_rng(args.seed)
    rows = vocabulary()
    words = {"▁" + word for word in WORDS}

    w = gguf.GGUFWriter(args.out, "llama")
    w.add_name("ascribe-tiny-random")
    w.add_context_length(args.context)
    w.add_embedding_length(WIDTH)
    w.add_block_count(LAYERS)
    w.add_feed_forward_length(FEED_FORWARD)
    w.add_head_count(HEADS)
    w.add_head_count_kv(KV_HEADS)
    w.add_rope_dimension_count(WIDTH // HEADS)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_vocab_size(len(rows))
    w.add_file_type(gguf.LlamaFileType.ALL_F32)
    w.add_tokenizer_model("llama")
    w.add_token_list([row[0] for row in rows])
    w.add_token_scores([row[1] for row in rows])
    w.add_token_types([int(row[2]) for row in rows])
    w.add_bos_token_id(1)
    w.add_eos_token_id(4)  # <|im_end|> ends a turn, as in the template
    w.add_add_bos_token(True)
    w.add_add_eos_token(False)
    w.add_add_space_prefix(False)  # else a space follows <|im_start|>, and JSON schemas fail
    w.add_chat_template(CHAT_TEMPLATE)

    def tensor(name, *shape, scale=None):
        values = rng.standard_normal(shape, dtype=np.float32)
        w.add_tensor(name, values * np.float32(scale or shape[-1] ** -0.5))

    tensor("token_embd.weight", len(rows), WIDTH, scale=1.0)
    w.add_tensor("output_norm.weight", np.ones(WIDTH, dtype=np.float32))
    # Only whole words and the end of turn get a logit of their own; the rest sit at zero and are hardly ever sampled.
    head = np.zeros((len(rows), WIDTH), dtype=np.float32)
    for i, (piece, _, _) in enumerate(rows):
        if piece in words:
            head[i] = rng.standard_normal(WIDTH, dtype=np.float32)
        elif piece == "<|im_end|>":
            head[i] = rng.standard_normal(WIDTH, dtype=np.float32) * np.float32(0.9)
    w.add_tensor("output.weight", head)
    kv_width = WIDTH // HEADS * KV_HEADS
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        for norm in ("attn_norm", "ffn_norm"):
            w.add_tensor(f"{block}.{norm}.weight", np.ones(WIDTH, dtype=np.float32))
        tensor(f"{block}.attn_q.weight", WIDTH, WIDTH)
        tensor(f"{block}.attn_k.weight", kv_width, WIDTH)
        tensor(f"{block}.attn_v.weight", kv_width, WIDTH)
        tensor(f"{block}.attn_output.weight", WIDTH, WIDTH)
        tensor(f"{block}.ffn_gate.weight", FEED_FORWARD, WIDTH)
        tensor(f"{block}.ffn_up.weight", FEED_FORWARD, WIDTH)
        tensor(f"{block}.ffn_down.weight", WIDTH, FEED_FORWARD)

    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    print(f"{args.out}: {len(rows)} tokens, {LAYERS} layers, seed {args.seed}")


if __name__ == "__main__":
    main()

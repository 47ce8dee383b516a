// A token is one space, if there is one, and up to six characters that are none. No real tokenizer counts like this; what
// matters is that it is exact, cheap, and that the words below are one token each, so that text and counts agree.
const TOKEN_LENGTH = 6
const SPACE = 32
const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

const WORDS = (
  'the a an of to in on at by for with from into over under after before while until where ' +
  'meter token price rate hour month total sum line page book note ledger record event key user group owner ' +
  'model answer reply stream chunk byte word text list row column table index cache queue batch worker ' +
  'river stone bridge harbor window garden lantern copper silver linen paper candle mirror market village'
)
  .split(' ')
  .filter((word) => word.length <= TOKEN_LENGTH)

/** The tokens of `text` as numbers; equal tokens have equal numbers. */
export function tokenize(text: string): number[] {
  const tokens: number[] = []
  walkTokens(text, (hash) => tokens.push(hash % 50_000))
  return tokens
}

/** The tokens of `text` as they stand there. */
export function tokenTexts(text: string): string[] {
  const texts: string[] = []
  let from = 0
  walkTokens(text, (_hash, end) => {
    texts.push(text.slice(from, end))
    from = end
  })
  return texts
}

/** Calls `onToken` with the hash of each token of `text` and where it ends, in order. Other white space than a space is a token of its own. */
export function walkTokens(text: string, onToken: (hash: number, end: number) => void): void {
  let hash = FNV_OFFSET
  let length = 0
  let isOpen = false
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    const isBreak = code === SPACE || length === TOKEN_LENGTH || code < SPACE
    if (isBreak && isOpen) {
      onToken(hash, index)
      hash = FNV_OFFSET
      length = 0
    }
    isOpen = true
    hash = Math.imul(hash ^ code, FNV_PRIME) >>> 0
    if (code !== SPACE) length += 1
    if (code < SPACE) length = TOKEN_LENGTH
  }
  if (isOpen) onToken(hash, text.length)
}

/** The word at place `index` of the text that `seed` stands for, with the space before it: one token. */
export function wordAt(seed: number, index: number): string {
  let mixed = Math.imul(seed ^ Math.imul(index + 1, 0x9e3779b1), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return ` ${WORDS[((mixed ^ (mixed >>> 16)) >>> 0) % WORDS.length] ?? 'the'}`
}

/** FNV-1a, 32 bits. */
export function hashText(text: string, from: number = FNV_OFFSET): number {
  let hash = from
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), FNV_PRIME) >>> 0
  return hash
}

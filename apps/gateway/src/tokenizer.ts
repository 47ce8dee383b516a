import { callHttp } from '@ascribe/service'
import type { HttpCall, HttpReply } from '@ascribe/service'
import { headerOfCredential, valueOfCredential } from './routing/upstream-credential.ts'
import type { UpstreamCredential } from './routing/upstream-credential.ts'

/** Where an engine's tokenizer is, and with what right it is asked. */
export type TokenizerPlace = {
  /** `http://host:port` */
  readonly origin: string
  /** In front of the API's own paths, for example `/v1`: engines keep their tokenizer beside it. */
  readonly basePath: string
  /** The model by the engine's own name. */
  readonly model: string
  readonly credential?: UpstreamCredential
}

export type TokenizerOptions = {
  /** For all that one question takes. */
  readonly timeoutMs: number
  /** Default: the one client for outbound HTTP. */
  readonly call?: (call: HttpCall) => Promise<HttpReply>
}

/** An engine's own count of a text: what it generates, or a prompt, which may begin with a token that is in no text. */
export type Tokenizer = {
  /** @throws {HttpCallError} when nobody answers in time. `undefined`: there is no tokenizer that we know, or its answer is no count. */
  count(text: string, as: 'output' | 'prompt', signal?: AbortSignal): Promise<number | undefined>
  /** Whose tokenizer answered, once one has. */
  readonly engine: string | undefined
}

type Dialect = {
  readonly engine: string
  /** Beside the API, or below it. */
  readonly path: string
  body(asked: { readonly text: string; readonly model: string; readonly special: boolean }): object
  /** Its count holds the tokens that begin a text, whatever it is asked. */
  readonly countsBeginning: boolean
}

const DIALECTS: readonly Dialect[] = [
  {
    // One body for both: each passes over the members of the other. SGLang answers as vLLM does.
    engine: 'llama-server or vLLM',
    path: '/tokenize',
    body: ({ text, model, special }) => ({ content: text, add_special: special, model, prompt: text, add_special_tokens: special }),
    countsBeginning: false,
  },
  {
    engine: 'llama-cpp-python',
    path: '/extras/tokenize/count',
    body: ({ text, model }) => ({ input: text, model }),
    countsBeginning: true,
  },
]

/** Four bytes a token as a number and a comma, for a text of as many bytes as anybody may ask about. */
const REPLY_BYTES_MAX = 8 * 1024 * 1024

/** The tokenizer of the engine at `place`. Which dialect it speaks is found out with the first question, and remembered. */
export function createTokenizer(place: TokenizerPlace, { timeoutMs, call = callHttp }: TokenizerOptions): Tokenizer {
  const root = `${place.origin}${place.basePath.replace(/\/v1$/, '')}`
  let known: Dialect | undefined
  /** Tokens that an empty text has. */
  let beginning: number | undefined

  async function ask(dialect: Dialect, { text, special, signal }: Asked): Promise<number | 'elsewhere' | undefined> {
    const reply = await call({
      url: `${root}${dialect.path}`,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(place.credential !== undefined && { [headerOfCredential(place.credential)]: valueOfCredential(place.credential) }),
      },
      body: JSON.stringify(dialect.body({ text, model: place.model, special })),
      timeoutMs,
      replyBytesMax: REPLY_BYTES_MAX,
      ...(signal !== undefined && { signal }),
    })
    if (reply.status === 404 || reply.status === 405 || reply.status === 501) return 'elsewhere'
    return reply.status === 200 ? countIn(reply.body) : undefined
  }

  async function countWith(dialect: Dialect, asked: Asked): Promise<number | 'elsewhere' | undefined> {
    const count = await ask(dialect, asked)
    if (typeof count !== 'number' || asked.special || !dialect.countsBeginning) return count
    if (beginning === undefined) {
      const empty = await ask(dialect, { ...asked, text: '' })
      if (typeof empty !== 'number') return empty
      beginning = empty
    }
    return Math.max(0, count - beginning)
  }

  return {
    get engine() {
      return known?.engine
    },
    async count(text, as, signal) {
      for (const dialect of known === undefined ? DIALECTS : [known]) {
        const count = await countWith(dialect, { text, special: as === 'prompt', signal })
        if (count === 'elsewhere') continue
        if (count !== undefined) known = dialect
        return count
      }
      return undefined
    },
  }
}

/** `special`: with the tokens that begin a text. */
type Asked = { readonly text: string; readonly special: boolean; readonly signal: AbortSignal | undefined }

/** `count` as vLLM and llama-cpp-python have it, or as many `tokens` as llama-server lists. */
function countIn(body: Buffer): number | undefined {
  let answer: unknown
  try {
    answer = JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
  if (typeof answer !== 'object' || answer === null) return undefined
  const { count, tokens } = answer as { readonly count?: unknown; readonly tokens?: unknown }
  if (Number.isSafeInteger(count) && Number(count) >= 0) return Number(count)
  return Array.isArray(tokens) ? tokens.length : undefined
}

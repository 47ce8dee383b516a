import { AscribeError, InputError } from '@ascribe/kit'
import { HttpCallError, openHttp } from '@ascribe/service'

/** The engine cannot be asked at all: nobody is there, it does not answer in time, or it wants a credential. */
export class EngineUnreachableError extends AscribeError {
  override readonly code = 'ENGINE_UNREACHABLE'
}

/** So much has been asked, or so much time has passed, that no more is asked. */
export class BudgetSpentError extends AscribeError {
  override readonly code = 'CONFORMANCE_BUDGET_SPENT'
}

export type EngineClientOptions = {
  /** `http://host:port` */
  readonly origin: string
  /** In front of the API's own paths, for example `/v1`. */
  readonly basePath: string
  readonly credential: string | undefined
  readonly requestsMax: number
  /** For everything. */
  readonly timeoutMs: number
  readonly clock: () => number
}

export type EngineReply = {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
  /** The reply was left on purpose, before its end. */
  readonly left: boolean
  /** The reply broke off. */
  readonly broken: boolean
}

export type AskOptions = {
  readonly headers?: Readonly<Record<string, string>>
  /** Leaves the reply, connection and all, as soon as it says so of the bytes so far. */
  readonly leaveWhen?: (body: string) => boolean
}

/** No single question takes longer. */
const ASK_MS_MAX = 30_000
/** A reply of some hundred tokens, every one of them an event with all that engines like to repeat. */
const REPLY_BYTES_MAX = 4 * 1024 * 1024

/** Asks an engine, and never more or longer than was agreed. */
export class EngineClient {
  asked = 0
  readonly #options: EngineClientOptions
  readonly #startedAt: number

  constructor(options: EngineClientOptions) {
    this.#options = options
    this.#startedAt = options.clock()
  }

  get remainingMs(): number {
    return Math.max(0, this.#startedAt + this.#options.timeoutMs - this.#options.clock())
  }

  /** A path below the API's root, with a body to POST. @throws {BudgetSpentError} {EngineUnreachableError} {InputError} */
  post(path: string, body: object | string, options: AskOptions = {}): Promise<EngineReply> {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return this.#ask(`${this.#options.basePath}${path}`, { method: 'POST', body: text, options })
  }

  get(path: string): Promise<EngineReply> {
    return this.#ask(`${this.#options.basePath}${path}`, { method: 'GET' })
  }

  /** A path at the engine's root, beside its API. */
  getAtRoot(path: string): Promise<EngineReply> {
    return this.#ask(`${this.#options.basePath.replace(/\/v1$/, '')}${path}`, { method: 'GET', isBeside: true })
  }

  /** Counts a question that somebody else asks. @throws {BudgetSpentError} */
  spend(): number {
    const { requestsMax, timeoutMs } = this.#options
    if (this.asked >= requestsMax) throw new BudgetSpentError(`Cannot ask the engine any more: it was asked ${requestsMax} times`)
    if (this.remainingMs === 0) throw new BudgetSpentError(`Cannot ask the engine any more: ${timeoutMs} ms are over`)
    this.asked += 1
    return Math.min(ASK_MS_MAX, this.remainingMs)
  }

  async #ask(
    target: string,
    { method, body, options = {}, isBeside = false }: { method: 'GET' | 'POST'; body?: string; options?: AskOptions; isBeside?: boolean },
  ): Promise<EngineReply> {
    const timeoutMs = this.spend()
    const { origin, credential } = this.#options
    const isFirst = this.asked === 1
    try {
      const reply = await openHttp({
        url: `${origin}${target}`,
        method,
        headers: {
          // What a gateway asks for.
          'accept-encoding': 'identity',
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(credential !== undefined && { authorization: `Bearer ${credential}`, 'x-api-key': credential }),
          ...options.headers,
        },
        ...(body !== undefined && { body }),
        timeoutMs,
        replyBytesMax: REPLY_BYTES_MAX,
      })
      if (!isBeside) refuseStranger(reply.status, origin, credential)
      return { status: reply.status, headers: reply.headers, ...(await readReply(reply.chunks, options.leaveWhen)) }
    } catch (thrown) {
      if (!(thrown instanceof HttpCallError)) throw thrown
      if (isFirst) throw new EngineUnreachableError(`Cannot check the engine at ${origin}`, { cause: thrown })
      throw thrown
    }
  }
}

/** @throws {InputError} */
function refuseStranger(status: number, origin: string, credential: string | undefined): void {
  if (status !== 401 && status !== 403) return
  throw new InputError(`Cannot check the engine at ${origin}: it answers ${status}`, {
    hint:
      credential === undefined
        ? 'It wants a credential: put it into an environment variable and name that with --credential-env.'
        : 'It does not take this credential.',
  })
}

async function readReply(
  chunks: AsyncIterable<Uint8Array>,
  leaveWhen: AskOptions['leaveWhen'],
): Promise<Pick<EngineReply, 'body' | 'left' | 'broken'>> {
  const parts: Uint8Array[] = []
  const read = (): Buffer => Buffer.concat(parts)
  try {
    for await (const chunk of chunks) {
      parts.push(chunk)
      if (leaveWhen?.(read().toString('utf8')) === true) return { body: read(), left: true, broken: false }
    }
  } catch (thrown) {
    // A reply that broke off is a finding; one that was not there in time is not one of this kind.
    if (!(thrown instanceof HttpCallError) || parts.length === 0) throw thrown
    return { body: read(), left: false, broken: true }
  }
  return { body: read(), left: false, broken: false }
}

import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import { InputError } from '@ascribe/kit'
import { type HostPort, createMeters, listenOn, urlOf } from '@ascribe/service'
import { createIdSource } from '@ascribe/units'
import { Delivery } from './delivery.ts'
import { RefusalError } from './errors.ts'
import { type Faults, NO_FAULTS, parseFaults } from './faults.ts'
import { type GenerationRequest, parseGenerationRequest, type Api } from './generation-request.ts'
import { planGeneration } from './generation.ts'
import { serveMedia } from './media.ts'
import { type MediaRequest, mediaKindOf, parseMediaRequest } from './media-request.ts'
import { SANDBOX_MODELS } from './models.ts'
import { PrefixCache } from './prefix-cache.ts'
import { SeenLog, type SeenRequest } from './seen.ts'
import { sendReply, sendStream } from './send-reply.ts'
import { tokenizerReply } from './tokenizer-reply.ts'

export type EngineOptions = Partial<HostPort> & {
  /** Requires `Authorization: Bearer …` or `X-Api-Key` with it. Default: takes everybody. */
  readonly apiKey?: string
  /** Faults of every request, see {@link SandboxEngine.setFaults}. */
  readonly faults?: Faults
  /** How many requests are remembered; default 1000. */
  readonly seenMax?: number
}

export type SandboxEngine = AsyncDisposable & {
  /** `http://host:port`, without a trailing slash and without `/v1`. */
  readonly url: string
  /** The last requests, oldest first. */
  readonly seen: readonly SeenRequest[]
  /** Forgets what was seen. Counters in `/metrics` go on. */
  forget(): void
  /** Tokens generated and prompt tokens since the start, as `/metrics` has them. */
  readonly totals: { readonly requests: number; readonly promptTokens: number; readonly completionTokens: number }
  /** Replaces the faults of all requests; a request's own `sandbox` object goes over them. @throws {InputError} */
  setFaults(faults: Faults): void
  /** Stops at once; open replies are cut. */
  close(): Promise<void>
}

const SEEN_MAX = 1000
const SEEN_BODY_BYTES = 64 * 1024
const BODY_BYTES_MAX = 64 * 1024 * 1024
const APIS: Readonly<Record<string, Api>> = {
  '/v1/chat/completions': 'chat',
  '/v1/completions': 'completions',
  '/v1/embeddings': 'embeddings',
  '/v1/responses': 'responses',
  '/v1/messages': 'messages',
}

const ID_PREFIXES: Readonly<Record<Api, string>> = {
  chat: 'chatcmpl-',
  completions: 'cmpl-',
  embeddings: 'cmpl-',
  responses: 'resp_',
  messages: 'msg_',
}

/** Starts an OpenAI-compatible inference engine. It has no weights: its text follows from the seed. Its counts are exact. */
export async function startEngine(options: EngineOptions = {}): Promise<SandboxEngine> {
  const engine = new Engine(options)
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => void engine.serve(request, response))
  const bound = await listenOn(server, { host: options.host ?? '127.0.0.1', port: options.port ?? 0 })
  const close = (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    server.close(() => resolve())
    server.closeAllConnections()
    return promise
  }
  return {
    url: urlOf(bound),
    get seen() {
      return engine.seen.list()
    },
    get totals() {
      return { ...engine.totals }
    },
    forget: () => engine.seen.clear(),
    setFaults: (faults) => engine.setFaults(faults),
    close,
    [Symbol.asyncDispose]: close,
  }
}

class Engine {
  readonly seen: SeenLog
  readonly totals = { requests: 0, promptTokens: 0, completionTokens: 0 }
  readonly #options: EngineOptions
  readonly #cache = new PrefixCache()
  readonly #nextId = createIdSource(() => Date.now())
  readonly #meters = createMeters()
  #faults: Faults

  constructor(options: EngineOptions) {
    this.#options = options
    this.#faults = options.faults ?? NO_FAULTS
    this.seen = new SeenLog(options.seenMax ?? SEEN_MAX)
    const requests = this.#meters.gauge('sandbox:requests_total', 'Requests to generate or embed.')
    const prompt = this.#meters.gauge('sandbox:prompt_tokens_total', 'Prompt tokens processed.')
    const predicted = this.#meters.gauge('sandbox:tokens_predicted_total', 'Tokens generated, whether a client got them or not.')
    this.#meters.beforeRender(() => {
      requests.set(this.totals.requests)
      prompt.set(this.totals.promptTokens)
      predicted.set(this.totals.completionTokens)
    })
  }

  setFaults(faults: Faults): void {
    const checked = parseFaults(faults)
    this.#faults = Object.keys(checked).length === 0 ? NO_FAULTS : checked
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split('?', 1)[0] ?? ''
    const { 'x-request-id': id } = request.headers
    const requestId = typeof id === 'string' ? id : undefined
    if (requestId !== undefined) response.setHeader('x-request-id', requestId)
    const seen: SeenRequest = {
      method: request.method ?? '',
      path,
      requestId,
      headers: request.headers,
      body: Buffer.alloc(0),
      promptTokens: 0,
      completionTokens: 0,
      ending: 'open',
    }
    const api = request.method === 'POST' ? APIS[path] : undefined
    try {
      this.#authorize(request)
      const media = request.method === 'POST' ? mediaKindOf(path) : undefined
      if (api === undefined && media === undefined) return await this.#serveOther(path, request, response)
      this.seen.add(seen)
      this.totals.requests += 1
      const body = await readBody(request)
      seen.body = body.subarray(0, SEEN_BODY_BYTES)
      if (api !== undefined) return await this.#generate(parseGenerationRequest(api, body, this.#faults), response, seen)
      if (media === undefined) return
      const asked = { path, body, contentType: request.headers['content-type'] }
      await this.#serveMedia(await parseMediaRequest(media, asked, this.#faults), response, seen)
    } catch (error) {
      refuse(response, error, path)
    } finally {
      if (response.headersSent) seen.status = response.statusCode
      if (seen.ending === 'open') seen.ending = response.writableEnded ? 'completed' : 'client-left'
    }
  }

  #authorize(request: IncomingMessage): void {
    const { apiKey } = this.#options
    if (apiKey === undefined || request.headers.authorization === `Bearer ${apiKey}` || request.headers['x-api-key'] === apiKey) return
    throw new RefusalError(401, 'Incorrect API key provided.', { openaiCode: 'invalid_api_key' })
  }

  async #generate(request: GenerationRequest, response: ServerResponse, seen: SeenRequest): Promise<void> {
    const delivery = await this.#begin(request, response, seen)
    if (delivery.isOver) return
    const { api } = request
    const id = `${ID_PREFIXES[api]}${this.#nextId()}`
    const generation = planGeneration(request, { id, created: Math.floor(Date.now() / 1000), cache: this.#cache })
    for (const { tokens } of generation.prompts) seen.promptTokens += tokens
    this.totals.promptTokens += seen.promptTokens
    const made = (tokens: number): void => {
      seen.completionTokens += tokens
      this.totals.completionTokens += tokens
    }
    if (request.stream) await sendStream(generation, delivery, made)
    else await sendReply(generation, delivery, made)
    seen.ending = delivery.ending
  }

  async #serveMedia(request: MediaRequest, response: ServerResponse, seen: SeenRequest): Promise<void> {
    const delivery = await this.#begin(request, response, seen)
    if (delivery.isOver) return
    await serveMedia(request, delivery, (truth) => {
      seen.media = truth
    })
    seen.ending = delivery.ending
  }

  /** Everything before the head of a reply, with the faults that belong there. */
  async #begin(
    { faults, seed }: { readonly faults: Faults; readonly seed: number },
    response: ServerResponse,
    seen: SeenRequest,
  ): Promise<Delivery> {
    const delivery = new Delivery(response, faults, seed)
    if (faults === NO_FAULTS) return delivery
    if (faults.headDelayMs !== undefined) await delivery.wait(faults.headDelayMs)
    await delivery.reach('before-head')
    if (delivery.isOver) seen.ending = delivery.ending
    else if (faults.status !== undefined) throw new RefusalError(faults.status, `The sandbox was asked to answer ${faults.status}.`)
    return delivery
  }

  async #serveOther(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    switch (`${request.method} ${path}`) {
      case 'GET /health':
        return sendJson(response, { status: 'ok' })
      case 'GET /v1/models':
        return sendJson(response, {
          object: 'list',
          data: SANDBOX_MODELS.map(({ id }) => ({ id, object: 'model', created: 0, owned_by: 'sandbox' })),
        })
      case 'GET /metrics':
        response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8')
        return void response.end(this.#meters.render())
      case 'GET /sandbox/seen':
        return sendJson(
          response,
          this.seen.list().map((each) => ({ ...each, body: each.body.toString() })),
        )
      case 'PUT /sandbox/faults':
        this.setFaults(parseFaults(JSON.parse((await readBody(request)).toString())))
        return sendJson(response, this.#faults)
      case 'POST /tokenize':
      case 'POST /extras/tokenize/count':
        return sendJson(response, await tokenizerReply({ path, body: await readBody(request), fault: this.#faults.tokenizer }))
      default:
        throw new RefusalError(404, `There is no ${request.method} ${path} here.`)
    }
  }
}

function sendJson(response: ServerResponse, value: unknown): void {
  const text = JSON.stringify(value)
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

function refuse(response: ServerResponse, error: unknown, path: string): void {
  if (response.headersSent || response.destroyed) return void response.destroy()
  const refusal =
    error instanceof RefusalError
      ? error
      : new RefusalError(error instanceof SyntaxError || error instanceof InputError ? 400 : 500, String(error))
  const text = path.startsWith('/v1/messages') ? refusal.messagesBody() : refusal.body()
  response.writeHead(refusal.status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

function readBody(request: IncomingMessage): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const parts: Buffer[] = []
  let sizeBytes = 0
  request.on('data', (part: Buffer) => {
    sizeBytes += part.length
    if (sizeBytes <= BODY_BYTES_MAX) return void parts.push(part)
    parts.length = 0
    reject(new RefusalError(413, `The body has more than ${BODY_BYTES_MAX} bytes.`))
  })
  request.on('end', () => resolve(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts)))
  request.on('error', reject)
  // Comes after every request; the error is made only where the body did not end.
  request.on('close', () => request.complete || reject(new RefusalError(400, 'The body broke off.')))
  return promise
}

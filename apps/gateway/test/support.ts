import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createApiKey, writePolicyFile } from '@ascribe/identity'
import type { PolicyKey, Scope, ScopedTerms, TermsList } from '@ascribe/identity'
import { listWriters, readJournal } from '@ascribe/journal'
import type { JournalEntry } from '@ascribe/journal'
import type { LogFields, Logger } from '@ascribe/kit'
import { createMeters, tryLock } from '@ascribe/service'
import type { MeterRegistry } from '@ascribe/service'
import type { Intent, UsageRecord } from '@ascribe/usage'
import { catchAllRoute, startGateway } from '../src/index.ts'
import type { Gateway, GatewayConfig, GatewayDeps, GatewayPlaces, Route } from '../src/index.ts'

export const SERVER_SECRET: Buffer = Buffer.alloc(32, 7)
const WAIT_MS = 5_000

/** Waits until `condition` holds; fails after five seconds, saying what was waited for. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_MS
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await delay(2)
  }
}

export type LogLine = { readonly level: string; readonly message: string; readonly fields: LogFields | undefined }

export type TestGateway = {
  readonly gateway: Gateway
  readonly url: string
  readonly port: number
  /** Everything of it on disk. */
  readonly data: string
  readonly log: readonly LogLine[]
  readonly meters: MeterRegistry
  /** Everything in the journals, in order. */
  entries(): Promise<JournalEntry[]>
  intents(): Promise<Intent[]>
  /** The settled records, once there are as many as `count`. */
  records(count: number): Promise<UsageRecord[]>
  /** The one settled record, once it is there. */
  record(): Promise<UsageRecord>
  /** Makes a key and puts it into the policy file. */
  addKey(scopes?: readonly Scope[]): { readonly key: string; readonly authId: string }
  /** Puts terms into the policy file; they are in force when it returns. */
  setTerms(entries: readonly ScopedTerms[], owners?: TermsList['owners']): Promise<void>
  /** Takes a key out of the policy file again. */
  revokeKey(authId: string): void
}

export type GatewayOptions = Partial<Omit<GatewayConfig, 'routes'>> & {
  /** URL of the upstream behind the catch-all route. */
  readonly upstream?: string
  /** Changes the catch-all route. */
  readonly route?: Partial<Route>
  /** Instead of the catch-all route. */
  readonly routes?: readonly Route[]
  readonly journalFs?: GatewayDeps['journalFs']
  readonly clock?: GatewayDeps['clock']
  readonly admission?: GatewayPlaces['admission']
  /** A folder that others use too, or use again. Default: one of its own, gone after the test. */
  readonly data?: string
}

export function routeTo(url: string, options: Partial<Route> = {}): Route {
  return { ...catchAllRoute(url), ...options }
}

/** A gateway on a free port, with a journal and a policy file of its own; closed after the test. */
export async function startTestGateway(t: TestContext, options: GatewayOptions): Promise<TestGateway> {
  const { upstream, route, routes, journalFs, clock, admission, data: shared, ...config } = options
  // In memory where there is a file system for that: the subject is never the disk.
  const data = shared ?? (await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'ascribe-gateway-')))
  const places = { journal: join(data, 'journal'), policy: join(data, 'policy.json'), ...(admission !== undefined && { admission }) }
  const log: LogLine[] = []
  const meters = createMeters()
  const gateway = await startGateway(
    {
      host: '127.0.0.1',
      port: 0,
      routes: routes ?? [routeTo(upstream ?? 'http://127.0.0.1:9', route)],
      trust: { networks: ['127.0.0.1'] },
      drain: { ms: 10_000, bytes: 4 * 1024 * 1024 },
      bodyBytesMax: 1024 * 1024,
      ack: 'durable',
      ...config,
    },
    places,
    {
      serverSecret: SERVER_SECRET,
      tryLock,
      logger: keepingLogger(log),
      meters,
      ...(journalFs !== undefined && { journalFs }),
      ...(clock !== undefined && { clock }),
    },
  )
  t.after(async () => {
    await gateway.close({ graceMs: 0 })
    if (shared === undefined) await rm(data, { recursive: true, force: true })
  })

  let keys: PolicyKey[] = []
  let terms: TermsList | undefined
  let version = 0
  const writePolicy = (): void => {
    version += 1
    writePolicyFile(places.policy, { ledger: 'test', version, ...(terms !== undefined && { terms }), keys }, tryLock)
  }
  const entries = async (): Promise<JournalEntry[]> => {
    const all: JournalEntry[] = []
    for (const dir of await listWriters(places.journal)) for await (const batch of readJournal(dir)) all.push(...batch.entries)
    return all
  }
  const payloads = async (kind: JournalEntry['kind']): Promise<string[]> =>
    (await entries()).filter((entry) => entry.kind === kind).map((entry) => entry.payload)
  const records = async (count: number): Promise<UsageRecord[]> => {
    let found: string[] = []
    await until(`there are ${count} records`, async () => (found = await payloads('settlement')).length >= count)
    if (found.length > count) throw new Error(`${found.length} records, not ${count}`)
    return found.map((payload) => JSON.parse(payload) as UsageRecord)
  }

  return {
    gateway,
    url: gateway.url,
    port: Number(new URL(gateway.url).port),
    data,
    log,
    meters,
    entries,
    intents: async () => (await payloads('intent')).map((payload) => JSON.parse(payload) as Intent),
    records,
    async record() {
      const [record] = await records(1)
      if (record === undefined) throw new Error('there is no record')
      return record
    },
    addKey(scopes = ['inference']) {
      const { key, publicId, hmac } = createApiKey(SERVER_SECRET)
      const authId = `auth-${publicId}`
      keys = [...keys, { authId, publicId, hmac, organizationId: '018f0000-0000-7000-8000-000000000001', scopes }]
      writePolicy()
      return { key, authId }
    },
    async setTerms(entries, owners = {}) {
      terms = { entries, owners }
      writePolicy()
      // For a key that it does not know a gateway looks at the file at once.
      await ask(gateway.url, { headers: { Authorization: `Bearer ${createApiKey(SERVER_SECRET).key}` } })
    },
    revokeKey(authId) {
      keys = keys.filter((key) => key.authId !== authId)
      writePolicy()
    },
  }
}

function keepingLogger(log: LogLine[]): Logger {
  const keep =
    (level: string) =>
    (message: string, fields?: LogFields): void =>
      void log.push({ level, message, fields })
  const logger: Logger = { debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error'), child: () => logger }
  return logger
}

/** What a trusted edge says about whoever asks. */
export const IDENTITY = { 'X-Saturn-Auth-Id': 'auth-1', 'X-Saturn-Resource-Id': 'resource-1' } as const

export type HeaderList = readonly (readonly [string, string])[]

export type Ask = {
  readonly method?: string
  readonly path?: string
  /** Default: IDENTITY. A list may repeat names. */
  readonly headers?: Readonly<Record<string, string>> | HeaderList
  /** An object is sent as JSON. */
  readonly body?: object | string
}

export type Answer = {
  /** 0: the connection broke before the head. */
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly text: string
  /** False when the connection broke before the reply was whole. */
  readonly whole: boolean
}

/** One chat, in a few tokens. */
export const CHAT = { model: 'sandbox-small', max_tokens: 5, messages: [{ role: 'user', content: 'hello there' }] } as const
/** The same, streamed. */
export const STREAM: typeof CHAT & { readonly stream: true } = { ...CHAT, stream: true }

/** Asks over a connection of its own, and takes whatever comes. */
export async function ask(url: string, options: Ask = {}): Promise<Answer> {
  const { method = 'POST', path = '/v1/chat/completions', headers = IDENTITY, body = CHAT } = options
  const payload = method === 'GET' ? '' : typeof body === 'string' ? body : JSON.stringify(body)
  const { hostname, port } = new URL(url)
  const fields = Array.isArray(headers) ? (headers as HeaderList) : Object.entries(headers)
  const outgoing = request({
    hostname,
    port,
    method,
    path,
    agent: false,
    headers: [...fields.flat(), 'Host', 'gateway', 'Content-Length', String(Buffer.byteLength(payload))],
  })
  outgoing.end(payload)
  outgoing.on('error', () => {
    // Before the head: 'close' follows. After it: `complete` says it.
  })
  const response = await Promise.race([
    once(outgoing, 'response').then(
      ([message]) => message as IncomingMessage,
      () => undefined,
    ),
    once(outgoing, 'close').then(() => undefined),
  ])
  if (response === undefined) return { status: 0, headers: {}, body: Buffer.alloc(0), text: '', whole: false }
  const parts: Buffer[] = []
  response.on('data', (part: Buffer) => parts.push(part))
  response.on('error', () => {
    // `complete` says it.
  })
  await new Promise((resolve) => response.once('close', resolve))
  const whole = Buffer.concat(parts)
  return { status: response.statusCode ?? 0, headers: response.headers, body: whole, text: whole.toString(), whole: response.complete }
}

/** One TCP connection that says exactly what it is told and keeps what it hears. */
export class Wire {
  readonly socket: Socket
  closed = false
  #heard: Buffer = Buffer.alloc(0)

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#heard = Buffer.concat([this.#heard, chunk])
    })
    socket.on('close', () => {
      this.closed = true
    })
    socket.on('error', () => {
      // 'close' follows.
    })
  }

  get text(): string {
    return this.#heard.toString('latin1')
  }

  async sees(text: string): Promise<void> {
    await until(`${JSON.stringify(text)} comes after ${JSON.stringify(this.text.slice(-200))}`, () => this.text.includes(text))
  }

  async isClosed(): Promise<void> {
    await until('the connection closes', () => this.closed)
  }
}

/** Sends a request and stays to watch, or leaves (`wire.socket.destroy()`). */
export async function watch(t: TestContext, port: number, options: Ask = {}): Promise<Wire> {
  const { method = 'POST', path = '/v1/chat/completions', headers = IDENTITY, body = CHAT } = options
  const payload = typeof body === 'string' ? body : JSON.stringify(body)
  const fields = Array.isArray(headers) ? (headers as HeaderList) : Object.entries(headers)
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.write(`${method} ${path} HTTP/1.1\r\nHost: gateway\r\n${lines}Content-Length: ${Buffer.byteLength(payload)}\r\n\r\n${payload}`)
  return new Wire(socket)
}

export type RawUpstream = {
  readonly url: string
  readonly wires: readonly Wire[]
  /** The connection of the first whole request. */
  asked(): Promise<Wire>
  /** Closes the listener, not the connections. */
  stop(): void
}

/** An upstream in raw bytes: `serve` gets each connection once a whole request is there. Default: says nothing. */
export async function rawUpstream(t: TestContext, serve: (wire: Wire) => void = () => {}): Promise<RawUpstream> {
  const wires: Wire[] = []
  const first = Promise.withResolvers<Wire>()
  const server = createServer({ noDelay: true }, (socket) => {
    const wire = new Wire(socket)
    wires.push(wire)
    let asked = false
    socket.on('data', () => {
      const headEnd = wire.text.indexOf('\r\n\r\n')
      const length = Number(/content-length: (\d+)/i.exec(wire.text)?.[1] ?? 0)
      if (asked || headEnd === -1 || wire.text.length < headEnd + 4 + length) return
      asked = true
      serve(wire)
      first.resolve(wire)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const wire of wires) wire.socket.destroy()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    wires,
    asked: () => first.promise,
    stop: () => void server.close(),
  }
}

/** Head of a chunked reply. */
export function chunkedHead(contentType: string, fields = ''): string {
  return `HTTP/1.1 200 OK\r\nContent-Type: ${contentType}\r\n${fields}Transfer-Encoding: chunked\r\n\r\n`
}

export function chunk(data: string | Buffer): Buffer {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}

export const LAST_CHUNK = '0\r\n\r\n'

/** A whole reply of known length. */
export function fixedReply(
  body: string | Buffer,
  options: { readonly status?: string; readonly contentType?: string; readonly fields?: string } = {},
): Buffer {
  const { status = '200 OK', contentType = 'application/json', fields = '' } = options
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  return Buffer.concat([
    Buffer.from(`HTTP/1.1 ${status}\r\nContent-Type: ${contentType}\r\n${fields}Content-Length: ${bytes.length}\r\n\r\n`),
    bytes,
  ])
}

/** Events of a stream as engines send them. */
export const EVENTS = {
  content: (text: string) =>
    `data: {"model":"engine-model","choices":[{"index":0,"delta":{"content":${JSON.stringify(text)}},"finish_reason":null}]}\n\n`,
  finish: 'data: {"model":"engine-model","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
  usage: (prompt: number, completion: number) =>
    `data: {"model":"engine-model","choices":[],"usage":{"prompt_tokens":${prompt},"completion_tokens":${completion},"total_tokens":${prompt + completion}}}\n\n`,
  done: 'data: [DONE]\n\n',
} as const

/** A chat reply in one JSON body. */
export function jsonChat(prompt: number, completion: number): string {
  return `{"id":"x","model":"engine-model","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":${prompt},"completion_tokens":${completion},"total_tokens":${prompt + completion}}}`
}

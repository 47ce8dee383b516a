import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { silentLogger, silentMeters } from '@ascribe/kit'
import type { Logger, Meters } from '@ascribe/kit'
import { createRelay, endToEndHeaders } from '../src/index.ts'
import type {
  Drain,
  Exchange,
  Failure,
  RawHeaders,
  Relay,
  RelayOptions,
  Reply,
  RequestHead,
  Sink,
  Upstream,
  Verdict,
} from '../src/index.ts'

/** Waits until `condition` holds; fails after 30 s, saying what was waited for. Nothing takes that long but on a machine with much else to do. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`)
    // oxlint-disable-next-line no-await-in-loop -- polling is the point
    await delay(2)
  }
}

/** Passes everything on and writes down what happened. `plan` replaces single methods. */
export class Recorder implements Exchange {
  readonly calls: string[] = []
  readonly failures: Failure[] = []
  bytes = 0
  chunks = 0
  status = 0
  headers: RawHeaders = []
  drain: Drain = { ms: 10_000, bytes: 4_194_304 }
  onHead: ((status: number, headers: RawHeaders) => { status: number; headers: RawHeaders }) | undefined
  onData: ((chunk: Buffer, sink: Sink) => void) | undefined
  onEnd: ((sink: Sink) => void) | undefined
  onFail: ((failure: Failure, sink: Sink) => void) | undefined

  get kinds(): string[] {
    return this.failures.map((failure) => failure.kind)
  }

  get over(): boolean {
    return this.calls.includes('end') || this.calls.includes('fail')
  }

  head(status: number, headers: RawHeaders): { readonly status: number; readonly headers: RawHeaders } {
    this.calls.push('head')
    this.status = status
    this.headers = headers
    return this.onHead?.(status, headers) ?? { status, headers }
  }

  data(chunk: Buffer, sink: Sink): void {
    if (this.calls.at(-1) !== 'data') this.calls.push('data')
    this.bytes += chunk.length
    this.chunks += 1
    if (this.onData === undefined) sink.write(chunk)
    else this.onData(chunk, sink)
  }

  end(sink: Sink): void {
    this.calls.push('end')
    if (this.onEnd === undefined) sink.end()
    else this.onEnd(sink)
  }

  fail(failure: Failure, sink: Sink): void {
    this.calls.push('fail')
    this.failures.push(failure)
    if (this.onFail !== undefined) this.onFail(failure, sink)
    else if (sink.headSent) sink.reset()
    else sink.reply(textReply(502, failure.kind))
  }

  clientGone(): Drain {
    this.calls.push('gone')
    return this.drain
  }
}

export function textReply(status: number, text: string): Reply {
  return { status, headers: ['Content-Type', 'text/plain'], body: text }
}

const REFUSED = {
  bad_request: 400,
  headers_too_large: 431,
  body_too_large: 413,
  request_timeout: 408,
  overloaded: 503,
  too_many_connections: 503,
  unsupported: 501,
  websocket: 501,
} as const

export type TestRelay = {
  readonly relay: Relay
  readonly port: number
  /** One for each request that was forwarded, in order. */
  readonly recorders: Recorder[]
  readonly heads: RequestHead[]
  readonly bodies: Buffer[]
}

export type TestRelayOptions = Partial<RelayOptions> & {
  readonly upstream?: Partial<Upstream> | undefined
  readonly upstreamPort?: number
  readonly bodyBytesMax?: number
  /** Changes the recorder of a request before it is used. */
  readonly plan?: (recorder: Recorder, head: RequestHead) => void
  readonly ready?: (head: RequestHead) => Promise<void>
  readonly verdict?: (head: RequestHead) => Verdict | undefined
  readonly logger?: Logger
  readonly meters?: Meters
}

/** A relay that forwards everything to one upstream, on a free port; closed after the test. */
export async function startRelay(t: TestContext, options: TestRelayOptions): Promise<TestRelay> {
  const recorders: Recorder[] = []
  const heads: RequestHead[] = []
  const bodies: Buffer[] = []
  const upstream: Upstream = { origin: `http://127.0.0.1:${options.upstreamPort ?? 9}`, ...options.upstream }
  const forward = (head: RequestHead): Verdict => ({
    kind: 'read',
    bodyBytesMax: options.bodyBytesMax ?? 1_048_576,
    decide: (body) => {
      const recorder = new Recorder()
      options.plan?.(recorder, head)
      recorders.push(recorder)
      bodies.push(body)
      return {
        kind: 'forward',
        upstream,
        method: head.method,
        target: head.target,
        headers: endToEndHeaders(head.headers),
        body: [body],
        ready: options.ready?.(head) ?? Promise.resolve(),
        exchange: recorder,
      }
    },
  })
  const relay = await createRelay({
    host: '127.0.0.1',
    port: 0,
    logger: silentLogger,
    meters: silentMeters,
    refuse: (refusal) => textReply(REFUSED[refusal], refusal),
    onRequest: (head) => {
      heads.push(head)
      return options.verdict?.(head) ?? forward(head)
    },
    ...options,
  })
  t.after(() => relay.close({ graceMs: 0 }))
  return { relay, port: Number(new URL(relay.url).port), recorders, heads, bodies }
}

/** One TCP connection that says exactly what it is told and keeps what it hears. */
export class Wire {
  readonly socket: Socket
  ended = false
  closed = false
  error: string | undefined
  readonly #chunks: Buffer[] = []

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.#chunks.push(chunk))
    socket.on('end', () => {
      this.ended = true
    })
    socket.on('close', () => {
      this.closed = true
    })
    socket.on('error', (error) => {
      this.error = 'code' in error ? String(error.code) : error.message
    })
  }

  get bytes(): Buffer {
    const all = Buffer.concat(this.#chunks)
    this.#chunks.splice(0, this.#chunks.length, all)
    return all
  }

  get text(): string {
    return this.bytes.toString('latin1')
  }

  send(text: string | Buffer): void {
    this.socket.write(text)
  }

  async sees(text: string): Promise<void> {
    await until(`${JSON.stringify(text)} arrives after ${JSON.stringify(this.text.slice(-200))}`, () => this.text.includes(text))
  }

  /** Waits for the other side's FIN or a reset. */
  async isClosed(): Promise<void> {
    await until('the connection closes', () => this.ended || this.closed)
  }
}

export async function dial(t: TestContext, port: number, from = '127.0.0.1'): Promise<Wire> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from, allowHalfOpen: true, noDelay: true })
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  return new Wire(socket)
}

/** An upstream that speaks raw bytes: `serve` gets each connection. */
export async function rawUpstream(t: TestContext, serve: (wire: Wire) => void): Promise<{ readonly port: number; readonly wires: Wire[] }> {
  const wires: Wire[] = []
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const wire = new Wire(socket)
    wires.push(wire)
    serve(wire)
  })
  await listen(t, server)
  t.after(() => {
    for (const wire of wires) wire.socket.destroy()
  })
  return { port: portOf(server), wires }
}

/** An upstream that answers each request (told by its blank line) with `reply`, byte for byte. */
export async function cannedUpstream(t: TestContext, reply: string | Buffer): Promise<{ readonly port: number; readonly wires: Wire[] }> {
  return rawUpstream(t, (wire) => {
    wire.socket.on('data', (chunk: Buffer) => {
      if (chunk.includes('\r\n\r\n')) wire.send(reply)
    })
  })
}

export async function listen(t: TestContext, server: Server): Promise<void> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

export function post(body: string, fields = ''): string {
  return `POST /v1/x HTTP/1.1\r\nHost: a\r\n${fields}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

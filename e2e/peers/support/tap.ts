import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What went through for one request, in both directions, as it is: bodies without their chunk framing. */
export type Exchange = {
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly sent: Buffer
  /** Of the engine's reply; 0 until it comes. */
  readonly status: number
  readonly body: Buffer
  /** Whether the engine's reply came to its end. */
  readonly whole: boolean
}

/** Stops the bytes of one reply half-way, so that a test can do something at that very point. */
export type Hold = {
  /** The reply's first bytes have been passed on (for 0: the request has reached the engine), the rest waits. */
  readonly held: Promise<void>
  release(): void
}

/** Stands between gateway and engine, passes everything on as it is, and remembers it: what the upstream really saw and said. */
export type Tap = AsyncDisposable & {
  readonly url: string
  /** One for every request that reached it, oldest first. */
  readonly exchanges: readonly Exchange[]
  /** Holds the reply to the next request back after its first `bytes` bytes of body, or all of it, head too, for 0. */
  holdNext(bytes: number): Hold
}

type Gate = { readonly bytes: number; readonly reached: () => void; readonly opened: Promise<void> }

export async function startTap(upstream: string): Promise<Tap> {
  const exchanges: Exchange[] = []
  let gate: Gate | undefined
  const server = createServer((incoming, reply) => {
    const own = gate
    gate = undefined
    const pass = new Passage(incoming, reply, own)
    exchanges.push(pass)
    pass.run(upstream).catch(() => reply.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    exchanges,
    holdNext(bytes) {
      const { promise: held, resolve: reached } = Promise.withResolvers<void>()
      const { promise: opened, resolve: release } = Promise.withResolvers<void>()
      gate = { bytes, reached, opened }
      return { held, release }
    },
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

class Passage implements Exchange {
  readonly path: string
  readonly headers: Exchange['headers']
  status = 0
  whole = false
  readonly #incoming: IncomingMessage
  readonly #reply: ServerResponse
  readonly #gate: Gate | undefined
  #sent: Buffer = Buffer.alloc(0)
  readonly #chunks: Buffer[] = []

  constructor(incoming: IncomingMessage, reply: ServerResponse, gate: Gate | undefined) {
    this.path = incoming.url ?? ''
    this.headers = incoming.headers
    this.#incoming = incoming
    this.#reply = reply
    this.#gate = gate
  }

  get sent(): Buffer {
    return this.#sent
  }

  get body(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  async run(upstream: string): Promise<void> {
    const incoming = this.#incoming
    const reply = this.#reply
    this.#sent = Buffer.concat(await incoming.toArray())
    // A connection for each request: of those kept, the engine closes some just as they are used again.
    const headers = { ...incoming.headers, connection: 'close' }
    const outgoing = request(upstream + this.path, { method: incoming.method, headers, agent: false })
    // Who leaves the gateway's side leaves the engine's too: the engine must be able to stop.
    reply.once('close', () => outgoing.destroy())
    outgoing.end(this.#sent)
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
    this.status = answer.statusCode ?? 0
    if (this.#gate?.bytes === 0) await this.#wait()
    reply.writeHead(this.status, withoutConnection(answer.rawHeaders))
    reply.flushHeaders()
    let passed = 0
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      this.#chunks.push(chunk)
      const cut = this.#gate === undefined ? -1 : this.#gate.bytes - passed
      passed += chunk.length
      if (cut > 0 && cut <= chunk.length) {
        await this.#write(chunk.subarray(0, cut))
        await this.#wait()
        await this.#write(chunk.subarray(cut))
      } else await this.#write(chunk)
    }
    this.whole = answer.complete
    reply.end()
  }

  async #wait(): Promise<void> {
    this.#gate?.reached()
    await this.#gate?.opened
  }

  async #write(chunk: Buffer): Promise<void> {
    if (chunk.length > 0 && !this.#reply.write(chunk)) await Promise.race([once(this.#reply, 'drain'), once(this.#reply, 'close')])
  }
}

/** Fields as they came, but for those that are about the connection between engine and tap. */
function withoutConnection(fields: readonly string[]): string[] {
  const isAboutConnection = (name = ''): boolean => /^(connection|keep-alive)$/i.test(name)
  return fields.filter((_, index) => !isAboutConnection(fields[index - (index % 2)]))
}

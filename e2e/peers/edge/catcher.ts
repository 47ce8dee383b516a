import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Stands where the gateway would, takes everything, and remembers each head as it came. */
export type Catcher = AsyncDisposable & {
  /** `host:port`. */
  readonly address: string
  readonly heads: readonly Caught[]
  clear(): void
}

export type Caught = {
  readonly requestLine: string
  readonly fields: readonly (readonly [string, string])[]
  readonly trailers: readonly string[]
}

export async function startCatcher(): Promise<Catcher> {
  let heads: Caught[] = []
  const server = createServer((message, reply) => {
    const { rawHeaders } = message
    const fields = rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? ''] as const] : []))
    message.resume().on('end', () => {
      heads.push({ requestLine: `${message.method} ${message.url}`, fields, trailers: message.rawTrailers })
      reply.writeHead(200, { 'content-type': 'application/json' }).end('{"caught":true}')
    })
  })
  server.maxHeadersCount = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get heads() {
      return heads
    },
    clear: () => void (heads = []),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

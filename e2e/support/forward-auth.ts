import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A proxy that asks an edge about each request, as Traefik does, in a few lines. */
export type ForwardAuth = AsyncDisposable & { readonly url: string }

export type ForwardAuthOptions = {
  readonly edge: string
  readonly gateway: string
  /** Whether it removes its clients' identity headers. One that does not is what `ascribe doctor --edge` is for. */
  readonly strips: boolean
}

const IDENTITY = /^x[-_]saturn[-_]/i
const DROPPED = new Set(['connection', 'authorization', 'host', 'trailer', 'te', 'transfer-encoding', 'content-length'])

export async function startForwardAuth({ edge, gateway, strips }: ForwardAuthOptions): Promise<ForwardAuth> {
  const server = createServer((incoming, reply) => {
    const pass = async (): Promise<void> => {
      const body = Buffer.concat(await incoming.toArray())
      const asked = await fetch(edge, { headers: { authorization: incoming.headers.authorization ?? '' } })
      if (asked.status !== 204) {
        reply.writeHead(asked.status).end(await asked.text())
        return
      }
      const said = [...asked.headers].filter(([name]) => IDENTITY.test(name))
      const kept = incoming.rawHeaders.flatMap((name, index) => {
        if (index % 2 === 1 || DROPPED.has(name.toLowerCase()) || (strips && IDENTITY.test(name))) return []
        // What it does copy it overwrites, as every proxy would; it is the rest that a careless one forgets.
        return said.some(([each]) => each === name.toLowerCase()) ? [] : [[name, incoming.rawHeaders[index + 1] ?? ''] as const]
      })
      const fields = [...kept, ...said, ['host', 'gateway'], ['content-length', String(body.length)]].flat()
      const outgoing = request(`${gateway}${incoming.url}`, { method: incoming.method, headers: fields, agent: false })
      outgoing.end(body)
      const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
      reply.writeHead(answer.statusCode ?? 502).end(Buffer.concat(await answer.toArray()))
    }
    pass().catch(() => reply.destroy())
  })
  server.maxHeadersCount = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

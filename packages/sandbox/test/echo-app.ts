import { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'

/** What an app behind a proxy was sent. */
export type Echo = {
  readonly method: string
  readonly url: string
  readonly rawHeaders: readonly string[]
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** An app that answers with what it was sent, and remembers it. */
export async function startEchoApp(): Promise<AsyncDisposable & { readonly url: string; readonly seen: readonly Echo[] }> {
  const seen: Echo[] = []
  const server = createServer({ maxHeaderSize: 256 * 1024 }, (incoming, reply) => void answer(incoming, reply))
  async function answer(incoming: IncomingMessage, reply: ServerResponse): Promise<void> {
    const { method = '', url = '', rawHeaders, headers } = incoming
    const echo = { method, url, rawHeaders, headers, body: Buffer.concat(await incoming.toArray()).toString() }
    seen.push(echo)
    reply
      .writeHead(url.startsWith('/missing') ? 404 : 200, { 'content-type': 'application/json', 'x-app': 'echo' })
      .end(JSON.stringify(echo))
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

export type Asked = {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string
}
export type Answer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly cookies: readonly string[]
  readonly text: string
}

/** A request to a `*.localhost` address, without a resolver for such names: the host goes into the header. */
export async function ask(url: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<Answer> {
  const { hostname, host, port, pathname, search } = new URL(url)
  const address = hostname.endsWith('localhost') ? '127.0.0.1' : hostname
  const outgoing = request({
    host: address,
    port,
    method,
    path: pathname + search,
    headers: { host, ...headers } as Record<string, string>,
    agent: false,
  })
  outgoing.end(body)
  const [reply] = (await once(outgoing, 'response')) as [IncomingMessage]
  const text = Buffer.concat(await reply.toArray()).toString()
  return { status: reply.statusCode ?? 0, headers: reply.headers, cookies: reply.headers['set-cookie'] ?? [], text }
}

/** What a browser would send back of cookies that were set. */
export function cookieHeader(...sets: readonly (readonly string[])[]): string {
  return sets
    .flat()
    .map((each) => each.split(';', 1)[0] ?? '')
    .join('; ')
}

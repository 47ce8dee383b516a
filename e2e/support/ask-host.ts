import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

export type HostAnswer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string }

/** A request to an address below `localhost`, which only browsers resolve: to loopback, with the host in its header. */
export async function askHost(
  url: string,
  {
    method = 'GET',
    headers = {},
    body,
  }: { readonly method?: string; readonly headers?: Readonly<Record<string, string>>; readonly body?: string } = {},
): Promise<HostAnswer> {
  const { host, port, pathname, search } = new URL(url)
  const outgoing = request({ host: '127.0.0.1', port, method, path: pathname + search, headers: { host, ...headers }, agent: false })
  outgoing.end(body)
  const [reply] = (await once(outgoing, 'response')) as [IncomingMessage]
  return { status: reply.statusCode ?? 0, headers: reply.headers, body: Buffer.concat(await reply.toArray()).toString() }
}

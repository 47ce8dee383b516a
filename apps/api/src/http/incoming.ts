import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

/** A request before anybody has looked into it. */
export type Incoming = {
  readonly method: string
  /** Without the query, as it was sent. */
  readonly path: string
  /** With the leading `?`, or empty. */
  readonly search: string
  readonly headers: IncomingHttpHeaders
  /** Every value of a header, in order, also of one that Node would drop or join. `name` in lower case. */
  readonly valuesOf: (name: string) => readonly string[]
  readonly requestId: string
  /** What the socket says, for the log. */
  readonly peer: string
  readonly message: IncomingMessage
}

/** Takes a request apart. `undefined`: its target is not a path (absolute form, asterisk), which only proxies ask with. */
export function readIncoming(message: IncomingMessage): Incoming | undefined {
  const target = message.url ?? ''
  if (!target.startsWith('/')) return undefined
  const mark = target.indexOf('?')
  return {
    method: message.method ?? '',
    path: mark === -1 ? target : target.slice(0, mark),
    search: mark === -1 ? '' : target.slice(mark),
    headers: message.headers,
    valuesOf: (name) => headerValues(message.rawHeaders, name),
    requestId: randomUUID(),
    peer: message.socket.remoteAddress ?? '',
    message,
  }
}

/** RFC 9112 section 3.2: exactly one `Host`, and before HTTP/1.1 at most one. Two servers on the way could each read another. */
export function hasItsHost({ message, valuesOf }: Incoming): boolean {
  const count = valuesOf('host').length
  return count === 1 || (count === 0 && message.httpVersion !== '1.1')
}

function headerValues(raw: readonly string[], name: string): readonly string[] {
  const values: string[] = []
  for (let index = 0; index + 1 < raw.length; index += 2) {
    if (raw[index]?.toLowerCase() === name) values.push(raw[index + 1] ?? '')
  }
  return values
}

/** The parameters of a query: text, or a list where one is repeated. Null prototype: a name is just a name. */
export function queryOf(search: string): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>
  for (const [name, value] of new URLSearchParams(search)) {
    const before = query[name]
    query[name] = before === undefined ? value : [before, value].flat()
  }
  return query
}

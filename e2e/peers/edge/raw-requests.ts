/** A request in bytes. `canary` must be in no head that the upstream sees. */
export type RawRequest = { readonly name: string; readonly bytes: (parts: RawParts) => string }

export type RawParts = { readonly key: string; readonly canary: string; readonly host?: string }

const BODY = '{"model":"sandbox-small","messages":[{"role":"user","content":"hello"}]}'

/** A whole request with these lines in its head. */
export function request({ key, host = 'many.example' }: RawParts, lines: readonly string[], body: string = BODY): string {
  const head = [
    'POST /v1/chat/completions HTTP/1.1',
    `Host: ${host}`,
    `Authorization: Bearer ${key}`,
    'Content-Type: application/json',
    ...lines,
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}

const LENGTH = `Content-Length: ${BODY.length}`
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`

/** A second request, hidden in the body of the first: what reads the framing in another way takes it for one of its own. */
const hidden = (canary: string): string =>
  `POST /v1/chat/completions HTTP/1.1\r\nHost: many.example\r\nX-Saturn-Auth-Id: ${canary}\r\nX-Saturn-Resource-Id: ${canary}\r\nContent-Length: 2\r\n\r\n{}`

const smuggled = (name: string, lines: readonly string[], body: (canary: string) => string): RawRequest => ({
  name,
  bytes: (parts) => request(parts, [...lines, `X-Saturn-Auth-Id: ${parts.canary}`], body(parts.canary)),
})

/** Beside what `ascribe doctor --edge` sends: framing that is read in two ways, which nobody sends to a live proxy of others. */
export const RAW_REQUESTS: readonly RawRequest[] = [
  smuggled(
    'length and chunks, the length counts',
    [`Content-Length: 6`, 'Transfer-Encoding: chunked'],
    (canary) => `0\r\n\r\n${hidden(canary)}`,
  ),
  smuggled(
    'length and chunks, the chunks count',
    ['Content-Length: 4', 'Transfer-Encoding: chunked'],
    (canary) => `${chunk(hidden(canary))}0\r\n\r\n`,
  ),
  smuggled(
    'chunks with a space before the colon',
    ['Content-Length: 5', 'Transfer-Encoding : chunked'],
    (canary) => `0\r\n\r\n${hidden(canary)}`,
  ),
  smuggled('chunks by another name', ['Content-Length: 5', 'Transfer-Encoding: xchunked'], (canary) => `0\r\n\r\n${hidden(canary)}`),
  smuggled(
    'chunks twice',
    ['Content-Length: 5', 'Transfer-Encoding: chunked', 'Transfer-Encoding: identity'],
    (canary) => `0\r\n\r\n${hidden(canary)}`,
  ),
  smuggled(
    'chunks, then identity',
    ['Content-Length: 5', 'Transfer-Encoding: chunked, identity'],
    (canary) => `0\r\n\r\n${hidden(canary)}`,
  ),
  smuggled('chunks after a vertical tab', ['Content-Length: 5', 'Transfer-Encoding:\vchunked'], (canary) => `0\r\n\r\n${hidden(canary)}`),
  smuggled('two lengths', ['Content-Length: 5', `Content-Length: ${hidden('x').length}`], (canary) => `0\r\n\r\n${hidden(canary)}`),
  smuggled('a length with a sign', ['Content-Length: +5'], (canary) => `0\r\n\r\n${hidden(canary)}`),
  smuggled('chunk sizes that overflow', ['Transfer-Encoding: chunked'], (canary) => `ffffffffffffffff1\r\n${hidden(canary)}\r\n0\r\n\r\n`),
  smuggled('a chunk that ends in LF alone', ['Transfer-Encoding: chunked'], (canary) => `0\n\n${hidden(canary)}`),
  smuggled('a chunk extension with a line end', ['Transfer-Encoding: chunked'], (canary) => `2;a\n${hidden(canary)}\r\n{}\r\n0\r\n\r\n`),
  {
    name: 'trailers',
    bytes: (parts) =>
      request(
        parts,
        ['Transfer-Encoding: chunked', 'TE: trailers', 'Trailer: X-Saturn-Auth-Id', 'Connection: close'],
        `${chunk(BODY)}0\r\nX-Saturn-Auth-Id: ${parts.canary}\r\n\r\n`,
      ),
  },
  {
    name: 'a second request on the connection, without a key',
    bytes: (parts) => `${request(parts, [LENGTH])}${hidden(parts.canary)}`,
  },
  {
    name: 'the path of the subrequest',
    bytes: ({ key, canary }) =>
      `GET /_ascribe_edge HTTP/1.1\r\nHost: many.example\r\nAuthorization: Bearer ${key}\r\nX-Saturn-Auth-Id: ${canary}\r\n\r\n`,
  },
  {
    name: 'an upgrade',
    bytes: (parts) =>
      request(parts, [LENGTH, 'Connection: Upgrade, X-Saturn-Auth-Id', 'Upgrade: websocket', `X-Saturn-Auth-Id: ${parts.canary}`]),
  },
  {
    name: 'two hosts',
    bytes: (parts) => request(parts, [LENGTH, 'Host: small.example', `X-Saturn-Resource-Id: ${parts.canary}`]),
  },
  {
    name: 'two credentials',
    bytes: (parts) => request(parts, [LENGTH, `Authorization: Bearer ${parts.canary}`, `X-Saturn-Auth-Id: ${parts.canary}`]),
  },
  { name: 'a zero byte in a name', bytes: (parts) => request(parts, [LENGTH, `X-Saturn-\0Auth-Id: ${parts.canary}`]) },
  { name: 'a zero byte in a value', bytes: (parts) => request(parts, [LENGTH, `X-Other: a\0\r\nX-Saturn-Auth-Id: ${parts.canary}`]) },
  {
    name: 'a name in UTF-8',
    bytes: (parts) => request(parts, [LENGTH, `X-Ｓaturn-Auth-Id: ${parts.canary}`, `X-Saturn-Auth-Id\u00a0: ${parts.canary}`]),
  },
]

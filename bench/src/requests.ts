const BODY_BYTES = 400

/** A header's name and its value. */
export type Header = readonly [name: string, value: string]

/** Who asks, for proxies that go by headers: four of the ten. */
export const IDENTITY_HEADERS: readonly Header[] = [
  ['X-Saturn-Auth-Id', 'key_01JB2M6R7W9F'],
  ['X-Saturn-Resource-Id', 'deployment-4711'],
  ['X-Saturn-User-Id', 'user-2207'],
  ['X-Saturn-Group-Id', 'group-31'],
]

/** The bytes of a POST with ten headers and a body of 400 bytes. `own` are four of the ten. */
export function requestBytes(own: readonly Header[], options: { readonly stream: boolean }): Buffer {
  const body = bodyOf(options.stream)
  const headers: Header[] = [
    ['Host', '127.0.0.1'],
    ['Accept', 'application/json'],
    ['User-Agent', 'OpenAI/JS 6.1.0'],
    ['Accept-Language', '*'],
    ['Content-Type', 'application/json'],
    ['Content-Length', String(body.length)],
    ...own,
  ]
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`POST /v1/chat/completions HTTP/1.1\r\n${lines.join('')}\r\n${body}`, 'latin1')
}

function bodyOf(stream: boolean): string {
  const wishes = stream ? ',"stream":true,"stream_options":{"include_usage":true}' : ''
  const before = '{"model":"bench-model","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"'
  const after = `"}],"max_tokens":256,"temperature":0.7${wishes}}`
  const room = BODY_BYTES - before.length - after.length
  return `${before}${'Why is the sky blue, and why is it red in the evening? '.repeat(8).slice(0, room)}${after}`
}

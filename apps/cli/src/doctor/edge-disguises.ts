/** A request as it goes over the wire, before somebody disguises something in it. */
export type Plain = {
  /** With path, of the origin form. */
  readonly target: string
  /** `https://host:port`. */
  readonly origin: string
  readonly host: string
  /** Of the identity headers, `X-Saturn-`. */
  readonly prefix: string
  /** Lines of the head that prove who it is. */
  readonly credential: readonly string[]
  readonly body: string
}

/** A way to bring identity headers through a proxy. `canary` is what nobody but us would say. */
export type Disguise = {
  /** For the verdict. */
  readonly name: string
  readonly write: (plain: Plain, canary: string) => Buffer
}

/** All that a gateway has a word for, and one that it has none for. */
const ENDINGS = ['Auth-Id', 'User-Id', 'Group-Id', 'Resource-Id', 'Resource-Type', 'Base-Model', 'Org-Id', 'Forged'] as const

type Shape = {
  readonly target?: string
  readonly version?: '1.0' | '1.1'
  readonly connection?: string
  /** Lines before and after the credential. */
  readonly before?: readonly string[]
  readonly after?: readonly string[]
  /** The body goes in a chunk, and these lines after it. */
  readonly trailers?: readonly string[]
  readonly lineEnd?: '\r\n' | '\n'
}

function write(plain: Plain, shape: Shape): Buffer {
  const { target = plain.target, version = '1.1', connection = 'close', before = [], after = [], trailers, lineEnd = '\r\n' } = shape
  const length = Buffer.byteLength(plain.body)
  const lines = [
    `POST ${target} HTTP/${version}`,
    `Host: ${plain.host}`,
    ...before,
    ...plain.credential,
    ...after,
    'Content-Type: application/json',
    `Connection: ${connection}`,
    trailers === undefined ? `Content-Length: ${length}` : 'Transfer-Encoding: chunked',
  ]
  const tail = trailers === undefined ? plain.body : [length.toString(16), plain.body, '0', ...trailers, '', ''].join('\r\n')
  return Buffer.from(`${lines.join(lineEnd)}${lineEnd}${lineEnd}${tail}`)
}

type Rename = (name: string) => string

const fields =
  (rename: Rename = (name) => name, value: Rename = (canary) => canary) =>
  (prefix: string, canary: string): string[] =>
    ENDINGS.map((ending) => `${rename(`${prefix}${ending}`)}: ${value(canary)}`)

const swapCase: Rename = (name) => name.replace(/./g, (letter, at: number) => (at % 2 === 0 ? letter.toLowerCase() : letter.toUpperCase()))
const underscores: Rename = (name) => name.replaceAll('-', '_')
const lastHyphen: Rename = (name) => name.replace(/-([^-]*)$/, '_$1')

/** The same fields, at every place and in every shape that has brought a header past some proxy before. */
const FIELDS: readonly (readonly [string, (prefix: string, canary: string) => readonly string[]])[] = [
  ['as they are', fields()],
  ['small letters', fields((name) => name.toLowerCase())],
  ['capital letters', fields((name) => name.toUpperCase())],
  ['mixed case', fields(swapCase)],
  ['twice', (prefix, canary) => [...fields()(prefix, canary), ...fields(swapCase)(prefix, canary)]],
  ['empty, then forged', (prefix, canary) => [...fields(undefined, () => '')(prefix, canary), ...fields()(prefix, canary)]],
  ['forged, then empty', (prefix, canary) => [...fields()(prefix, canary), ...fields(undefined, () => '')(prefix, canary)]],
  ['empty', fields(undefined, () => '')],
  ['lists with commas', fields(undefined, (canary) => `${canary}, ${canary}`)],
  ['underscores', fields(underscores)],
  ['one underscore', fields(lastHyphen)],
  ['space before the colon', fields((name) => `${name} `)],
  ['tab before the colon', fields((name) => `${name}\t`)],
  ['folded into another line', (prefix, canary) => ['X-Other: a', ...fields((name) => ` ${name}`)(prefix, canary)]],
  ['after a bare CR', (prefix, canary) => fields()(prefix, canary).map((line) => `X-Other: a\r${line}`)],
  ['after a bare LF', (prefix, canary) => fields()(prefix, canary).map((line) => `X-Other: a\n${line}`)],
  ['long values', fields(undefined, (canary) => canary + 'x'.repeat(600))],
  [
    'among very many',
    (prefix, canary) => [...Array.from({ length: 90 }, (_, index) => `X-Filler-${index}: f`), ...fields()(prefix, canary)],
  ],
]

const names = (prefix: string, from = 0): string =>
  ENDINGS.slice(from)
    .map((ending) => `${prefix}${ending}`)
    .join(', ')

const OTHERS: readonly Disguise[] = [
  { name: 'before the credential', write: (plain, canary) => write(plain, { before: fields()(plain.prefix, canary) }) },
  {
    name: 'named in Connection',
    write: (plain, canary) => write(plain, { connection: `close, ${names(plain.prefix)}`, after: fields()(plain.prefix, canary) }),
  },
  { name: "the edge's own, named in Connection", write: (plain) => write(plain, { connection: `close, ${names(plain.prefix)}` }) },
  {
    // Without the auth id the gateway refuses; without the rest it may take another resource for what is meant.
    name: "all but the edge's auth id, in Connection",
    write: (plain) => write(plain, { connection: `close, ${names(plain.prefix, 1)}` }),
  },
  {
    name: "the edge's own, in two Connections",
    write: (plain) =>
      write(plain, { connection: 'close', after: [`Connection: ${names(plain.prefix)}`, `Proxy-Connection: ${names(plain.prefix)}`] }),
  },
  {
    name: 'trailers',
    write: (plain, canary) =>
      write(plain, { after: ['TE: trailers', `Trailer: ${names(plain.prefix)}`], trailers: fields()(plain.prefix, canary) }),
  },
  { name: 'a chunked body', write: (plain, canary) => write(plain, { after: fields()(plain.prefix, canary), trailers: [] }) },
  { name: 'HTTP/1.0', write: (plain, canary) => write(plain, { version: '1.0', after: fields()(plain.prefix, canary) }) },
  {
    name: 'the absolute form',
    write: (plain, canary) => write(plain, { target: `${plain.origin}${plain.target}`, after: fields()(plain.prefix, canary) }),
  },
  { name: 'lines that end in LF', write: (plain, canary) => write(plain, { lineEnd: '\n', after: fields()(plain.prefix, canary) }) },
  { name: 'a query', write: (plain, canary) => write(plain, { target: `${plain.target}?${plain.prefix}Auth-Id=${canary}` }) },
  {
    name: "another proxy's words",
    write: (plain, canary) =>
      write(plain, {
        after: [
          `X-Forwarded-Host: ${canary}.example`,
          `X-Forwarded-Uri: /${canary}`,
          `X-Original-URI: /${canary}`,
          `X-Original-URL: /${canary}`,
          'X-Forwarded-Method: GET',
          'X-Forwarded-For: 127.0.0.1, ::1, 10.0.0.1',
          `Forwarded: for=127.0.0.1;host=${canary}.example`,
        ],
      }),
  },
]

/** Nothing forged: what the others are compared with. */
export const HONEST: Disguise = { name: 'nothing forged', write: (plain) => write(plain, {}) }

/** Every one leaves the request itself whole: none can make a proxy take part of it for the request of somebody else. */
export const DISGUISES: readonly Disguise[] = [
  ...FIELDS.map(([name, forged]) => ({
    name,
    write: (plain: Plain, canary: string) => write(plain, { after: forged(plain.prefix, canary) }),
  })),
  ...OTHERS,
]

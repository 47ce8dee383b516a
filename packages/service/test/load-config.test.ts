import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { after, before, test } from 'node:test'
import { InputError } from '@ascribe/kit'
import { z } from 'zod'
import { configRows } from '../src/config-rows.ts'
import { byteSize, cidrList, durationMs, hostPort, secret } from '../src/config-types.ts'
import { ConfigError } from '../src/errors.ts'
import { type ConfigOptions, loadConfig } from '../src/load-config.ts'

const schema = z.strictObject({
  gateway: z
    .strictObject({
      listen: hostPort().default({ host: '127.0.0.1', port: 8080 }),
      headersTimeout: durationMs().default(30_000),
      bodySize: byteSize().default(64 * 1024 * 1024),
      trustHeadersFrom: cidrList().default([]),
      workers: z.int().min(1).max(64).default(1),
      ack: z.enum(['durable', 'async']).default('durable'),
      edgeSecret: secret().optional(),
      routes: z
        .array(z.strictObject({ upstream: z.string(), credential: secret().optional() }).transform((route) => ({ ...route })))
        .default([]),
    })
    .prefault({}),
  databaseUrl: secret().describe('of a Postgres').optional(),
})

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ascribe-config-'))
})
after(() => rm(folder, { recursive: true, force: true }))

async function yaml(text: string): Promise<string> {
  const path = join(folder, `${Math.random()}.yaml`)
  await writeFile(path, text)
  return path
}

const load = (options: Partial<ConfigOptions<typeof schema>> = {}) =>
  loadConfig({ schema, env: {}, envNames: { databaseUrl: 'DATABASE_URL' }, otherEnvNames: ['ASCRIBE_DATA'], ...options })

/** The problems of a refused configuration, with the file's path as FILE. */
function problemsOf(options: Partial<ConfigOptions<typeof schema>>): string[] {
  try {
    load(options)
  } catch (error) {
    assert(error instanceof ConfigError && error instanceof InputError)
    const [first = '', ...rest] = error.message.replaceAll(options.file ?? '\0', 'FILE').split('\n')
    return rest.length > 0 ? rest.map((line) => line.trim()) : [first.replace('Cannot use the configuration: ', '')]
  }
  return assert.fail('it was not refused')
}

test('loadConfig() gives the defaults when nothing is set, and names every setting', () => {
  const { value, sources } = load()
  assert.deepEqual(value.gateway, {
    listen: { host: '127.0.0.1', port: 8080 },
    headersTimeout: 30_000,
    bodySize: 67_108_864,
    trustHeadersFrom: [],
    workers: 1,
    ack: 'durable',
    routes: [],
  })
  assert.deepEqual([...sources.keys()].slice(0, 3), ['gateway.listen', 'gateway.headersTimeout', 'gateway.bodySize'])
  assert(sources.values().every(({ kind }) => kind === 'default'))
})

test('loadConfig() takes the environment over the file and flags over both, and says so for each setting', async () => {
  const file = await yaml('gateway:\n  listen: 0.0.0.0:1\n  workers: 2\n  ack: async\n')
  const { value, sources } = load({
    file,
    env: { ASCRIBE_GATEWAY_WORKERS: '3', ASCRIBE_GATEWAY_ACK: 'durable', ASCRIBE_GATEWAY_BODY_SIZE: ' ', ASCRIBE_DATA: 'x', HOME: '/' },
    overrides: { 'gateway.ack': { flag: '--ack', value: 'async' } },
  })
  assert.deepEqual([value.gateway.listen, value.gateway.workers, value.gateway.ack], [{ host: '0.0.0.0', port: 1 }, 3, 'async'])
  assert.deepEqual(
    ['listen', 'workers', 'ack', 'bodySize'].map((key) => sources.get(`gateway.${key}`)),
    [
      { kind: 'file', file, line: 2, column: 3 },
      { kind: 'env', name: 'ASCRIBE_GATEWAY_WORKERS' },
      { kind: 'flag', name: '--ack' },
      { kind: 'default' },
    ],
  )
})

test('loadConfig() reads numbers and lists from variables as YAML, texts as they are', () => {
  const env = {
    ASCRIBE_GATEWAY_LISTEN: '[::1]:0',
    ASCRIBE_GATEWAY_TRUST_HEADERS_FROM: '10.0.0.0/8, ::1',
    ASCRIBE_GATEWAY_ROUTES: '[{ upstream: "http://a" }]',
  }
  const { listen, trustHeadersFrom, routes } = load({ env }).value.gateway
  assert.deepEqual([listen, trustHeadersFrom, routes], [{ host: '::1', port: 0 }, ['10.0.0.0/8', '::1'], [{ upstream: 'http://a' }]])
})

test('loadConfig() names all problems at once, each with its place', async () => {
  const file = await yaml(
    ['gateway:', '  listn: a:1', '  workers: many', '  bodySize: 4XB', '  routes:', '    - upstrem: http://x', 'colour: red', ''].join(
      '\n',
    ),
  )
  const env = {
    ASCRIBE_GATEWAY_HEADERS_TIMEOUT: 'soon',
    ASCRIBE_GATEWAY_LISTEM: 'x',
    ASCRIBE_UNRELATED_THING: '1',
    ASCRIBE_GATEWAY_TRUST_HEADERS_FROM: '10.0.0.0/99',
  }
  assert.deepEqual(problemsOf({ file, env, overrides: { 'gateway.ack': { flag: '--ack', value: 'maybe' } } }).toSorted(), [
    '--ack: must be one of "durable"|"async"',
    'ASCRIBE_GATEWAY_HEADERS_TIMEOUT: must be a duration such as 30s, 10m or 250ms, at most 24d',
    'ASCRIBE_GATEWAY_LISTEM: there is no such setting; did you mean ASCRIBE_GATEWAY_LISTEN?',
    'ASCRIBE_GATEWAY_TRUST_HEADERS_FROM: must be networks such as 10.0.0.0/8 or ::1/128; "10.0.0.0/99" is none',
    'ASCRIBE_UNRELATED_THING: there is no such setting',
    'FILE:2:3: gateway.listn: there is no such setting; did you mean listen?',
    'FILE:3:3: gateway.workers: must be a number',
    'FILE:4:3: gateway.bodySize: must be a size such as 4MiB, 512KiB or 10MB, in whole bytes',
    'FILE:6:7: gateway.routes.0.upstream: must be set',
    'FILE:6:7: gateway.routes.0.upstrem: there is no such setting; did you mean upstream?',
    'FILE:7:1: colour: there is no such setting',
  ])
})

test('loadConfig() says which setting must be set and how', () => {
  const required = z.strictObject({ api: z.strictObject({ url: z.string() }).prefault({} as never) })
  assert.throws(() => loadConfig({ schema: required, env: {} }), {
    message: 'Cannot use the configuration: api.url: must be set, in the file or as ASCRIBE_API_URL',
  })
})

test('loadConfig() refuses broken YAML, keys that come twice, and files that are no map, with line and column', async () => {
  assert.deepEqual(problemsOf({ file: await yaml('gateway:\n  workers: 1\n  workers: 2\n') }), ['FILE:3:3: this key comes twice'])
  assert.match(problemsOf({ file: await yaml('gateway: [1, 2\nx: {') })[0] ?? '', /^FILE:\d+:\d+: /)
  assert.deepEqual(problemsOf({ file: await yaml('- a\n- b\n') }), ['FILE:1:1: must be a map of settings'])
  assert.deepEqual(problemsOf({ file: await yaml('gateway: 5\n') }), ['FILE:1:1: gateway: must be a object'])
  const wide = (name: string, item: string): string => `${name}: &${name} [${Array.from({ length: 9 }, () => item).join()}]`
  const bomb = [wide('a0', 'x'), ...Array.from({ length: 9 }, (_, n) => wide(`a${n + 1}`, `*a${n}`))].join('\n')
  assert.match(problemsOf({ file: await yaml(bomb) })[0] ?? '', /alias/i)
  assert.throws(() => load({ file: join(folder, 'none.yaml') }), /there is no such file/)
})

test('loadConfig() takes an empty file for one without settings', async () => {
  for (const text of ['', '# nothing\n', '---\n']) assert.equal(load({ file: await yaml(text) }).value.gateway.workers, 1)
})

test('loadConfig() reads secrets from variables and files, those in lists too', async () => {
  await writeFile(join(folder, 'secret.txt'), 'from-file\n')
  const file = await yaml(
    [
      'gateway:',
      '  edgeSecret: { env: EDGE }',
      '  routes:',
      '    - { upstream: "http://a", credential: { env: A_KEY } }',
      '    - { upstream: "http://b", credential: { file: secret.txt } }',
    ].join('\n'),
  )
  const { value } = load({ file, env: { EDGE: 'edge', A_KEY: 'from-env', DATABASE_URL_FILE: join(folder, 'secret.txt') } })
  assert.deepEqual(
    [value.gateway.edgeSecret, ...value.gateway.routes.map(({ credential }) => credential), value.databaseUrl].map((each) =>
      each?.reveal(),
    ),
    ['edge', 'from-env', 'from-file', 'from-file'],
  )
  assert.equal(load({ env: { DATABASE_URL: 'postgres://x' } }).value.databaseUrl?.reveal(), 'postgres://x')
  const env = { ASCRIBE_GATEWAY_ROUTES: '[{ upstream: "http://a", credential: { env: A_KEY } }]', A_KEY: 'x' }
  assert.equal(load({ env }).value.gateway.routes[0]?.credential?.reveal(), 'x')
})

test('loadConfig() refuses secrets that are written out, missing or given twice, and does not repeat them', async () => {
  for (const credential of ['hunter2', '{ env: A_KEY, file: x }', '{ hunter2: x }', '5']) {
    const file = await yaml(`gateway:\n  routes:\n    - { upstream: "http://a", credential: ${credential} }\n`)
    assert.deepEqual(problemsOf({ file }), [
      'FILE:3:31: gateway.routes.0.credential: a secret is not written out here; use { env: NAME } or { file: PATH }',
    ])
  }
  const env = { DATABASE_URL: 'hunter2', DATABASE_URL_FILE: 'y' }
  assert.deepEqual(problemsOf({ env }), ['DATABASE_URL and DATABASE_URL_FILE: only one of them may be set'])
  assert.match(
    problemsOf({ env: { DATABASE_URL_FILE: join(folder, 'none') } })[0] ?? '',
    /^DATABASE_URL_FILE: the file .* cannot be read \(ENOENT\)$/,
  )
  assert.match(
    problemsOf({ file: await yaml('databaseUrl: { env: NOPE }') })[0] ?? '',
    /^FILE:1:1: databaseUrl: the variable NOPE is not set$/,
  )
})

test('configRows() tells what is in force and from where, as one would write it, without any secret', async () => {
  const file = await yaml('gateway:\n  routes:\n    - { upstream: "http://a", credential: { env: A_KEY } }\n')
  const env = {
    A_KEY: 'hunter2',
    DATABASE_URL: 'postgres://u:hunter3@db',
    ASCRIBE_GATEWAY_BODY_SIZE: '4194304',
    ASCRIBE_GATEWAY_TRUST_HEADERS_FROM: '10.0.0.0/8,::1',
  }
  const loaded = load({ file, env, overrides: { 'gateway.listen': { flag: '--listen', value: '[::1]:0' } } })
  const rows = configRows(loaded)
  assert.deepEqual(
    rows.map(({ key, value, source }) => [key, value, source.replace(file, 'FILE')]),
    [
      ['gateway.listen', '[::1]:0', 'flag --listen'],
      ['gateway.headersTimeout', '30s', 'default'],
      ['gateway.bodySize', '4MiB', 'env ASCRIBE_GATEWAY_BODY_SIZE'],
      ['gateway.trustHeadersFrom', '10.0.0.0/8, ::1', 'env ASCRIBE_GATEWAY_TRUST_HEADERS_FROM'],
      ['gateway.workers', '1', 'default'],
      ['gateway.ack', 'durable', 'default'],
      ['gateway.edgeSecret', '(not set)', 'default'],
      ['gateway.routes', '[ { upstream: http://a, credential: "***" } ]', 'FILE:2:3'],
      ['databaseUrl', '***', 'env DATABASE_URL'],
    ],
  )
  assert.equal(rows.at(-1)?.env, 'DATABASE_URL')
  assert(
    !`${JSON.stringify(rows)}${JSON.stringify(loaded)}${inspect(loaded.value, { depth: 9, showHidden: true })}${String(loaded.value.databaseUrl)}`.includes(
      'hunter',
    ),
  )
})

test('durationMs(), byteSize(), hostPort() and cidrList() take what they say, write it back, and take nothing else', () => {
  const cases: [z.ZodType, [unknown, unknown, unknown][], unknown[]][] = [
    [
      durationMs(),
      [
        ['30s', 30_000, '30s'],
        ['1.5s', 1500, '1500ms'],
        ['10 m', 600_000, '10m'],
        [250, 250, '250ms'],
        ['0', 0, '0ms'],
        ['2d', 172_800_000, '2d'],
      ],
      ['', 's', '-1s', '1w', '99d', '0.3ms', -5, true, null],
    ],
    [
      byteSize(),
      [
        ['4MiB', 4_194_304, '4MiB'],
        ['1kB', 1000, '1000B'],
        ['1.5KiB', 1536, '1536B'],
        [7, 7, '7B'],
        ['0', 0, '0B'],
      ],
      ['4mib', 'B', '-1', '0.3B', 1.5, {}],
    ],
    [
      hostPort(),
      [
        ['127.0.0.1:80', { host: '127.0.0.1', port: 80 }, '127.0.0.1:80'],
        ['[::1]:0', { host: '::1', port: 0 }, '[::1]:0'],
        ['db.test:5432', { host: 'db.test', port: 5432 }, 'db.test:5432'],
      ],
      ['80', ':80', '::1:80', 'a:99999', 'a:b', '[x]:1', '[a]:1', 80],
    ],
    [
      cidrList(),
      [
        ['10.0.0.0/8,::1', ['10.0.0.0/8', '::1'], '10.0.0.0/8, ::1'],
        [[], [], ''],
        [['192.168.0.1'], ['192.168.0.1'], '192.168.0.1'],
      ],
      ['x', '10.0.0.0/33', '10.0.0.0/', '::/129', '1.2.3.4/8/8', 5],
    ],
  ]
  for (const [type, good, bad] of cases) {
    for (const [text, value, written] of good) {
      assert.deepEqual(type.parse(text), value)
      assert.deepEqual(z.encode(type, value), written)
    }
    for (const text of bad) assert.equal(type.safeParse(text).success, false, JSON.stringify(text))
  }
})

test('loadConfig() refuses a schema that is not strict or names one variable twice', () => {
  assert.throws(() => loadConfig({ schema: z.object({ a: z.string().optional() }), env: {} }), /strictObject/)
  assert.throws(
    () => loadConfig({ schema: z.strictObject({ 'a-b': z.string().optional(), aB: z.string().optional() }), env: {} }),
    /both be ASCRIBE_A_B/,
  )
})

test('loadConfig() leaves a file to whoever reads it when the variable of its name is a setting of its own', () => {
  const schema = z.strictObject({ key: secret().optional(), key_file: z.string().optional() })
  const { value, sources } = loadConfig({ schema, env: { ASCRIBE_KEY: 'k', ASCRIBE_KEY_FILE: '/not/there' } })
  assert.equal(value.key?.reveal(), 'k')
  assert.equal(value.key_file, '/not/there')
  assert.deepEqual(sources.get('key_file'), { kind: 'env', name: 'ASCRIBE_KEY_FILE' })
})

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse, parseAllDocuments } from 'yaml'
import { createApiKey, writePolicyFile } from '@ascribe/identity'
import { tryLock } from '@ascribe/service'
import { startForwardAuth } from './support/forward-auth.ts'
import { run, start } from './support/process.ts'
import { temporaryDir } from './support/product.ts'

const SECRET = '07'.repeat(32)
const SITES = join(import.meta.dirname, '..', 'deploy')
const site = (...path: readonly string[]): string => readFileSync(join(SITES, ...path), 'utf8')

type World = AsyncDisposable & {
  readonly dir: string
  readonly edge: string
  readonly metrics: string
  readonly gateway: string
  readonly key: string
  readonly authId: string
  readonly keyFile: string
  readonly env: Readonly<Record<string, string>>
  /** Ends the edge as an operator does; its exit code and what it logged. */
  stopEdge(): Promise<{ readonly code: number | null; readonly stderr: string }>
}

/** An edge and a gateway that believes it, as processes, without a database. */
async function startWorld(more: Readonly<Record<string, string>> = {}): Promise<World> {
  await using stack = new AsyncDisposableStack()
  const { path: dir } = stack.use(temporaryDir())
  const { key, publicId, hmac } = createApiKey(Buffer.from(SECRET, 'hex'))
  const authId = `auth-${publicId}`
  const keys = [{ authId, publicId, hmac, organizationId: '018f0000-0000-7000-8000-000000000001', scopes: ['inference'] as const }]
  writePolicyFile(join(dir, 'policy.json'), { ledger: 'test', version: 1, keys }, tryLock)
  const keyFile = join(dir, 'key.txt')
  writeFileSync(keyFile, `${key}\n`)
  const peers = JSON.stringify([{ networks: ['127.0.0.1'], resource: 'from-model' }])
  const env = { ASCRIBE_SERVER_SECRET: SECRET, ASCRIBE_GATEWAY_TRUSTED_PEERS: peers, ...more }
  const launch = async (...args: readonly string[]): Promise<{ process: ReturnType<typeof start>; line: Record<string, string> }> => {
    const process = stack.use(start([...args, '--json', '--data', dir, '--port', '0', '--metrics-port', '0'], { env }))
    const line = await process.firstLine
    if (line === undefined) throw new Error(`ascribe ${args[0]} did not come up:\n${(await process.ended).stderr}`)
    return { process, line: JSON.parse(line) as Record<string, string> }
  }
  const { process: edgeProcess, line: edge } = await launch('edge', '--log-level', 'debug')
  const { line: gateway } = await launch('gateway', '--upstream', 'http://127.0.0.1:9')
  const owned = stack.move()
  return {
    dir,
    edge: edge['edge'] ?? '',
    metrics: edge['metrics'] ?? '',
    gateway: gateway['gateway'] ?? '',
    key,
    authId,
    keyFile,
    env,
    async stopEdge() {
      edgeProcess.kill('SIGTERM')
      return edgeProcess.ended
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const identityNames = (headers: Headers): string[] => [...headers.keys()].filter((name) => name.startsWith('x-saturn-')).toSorted()

test('ascribe edge answers proxies from the policy of its data directory, says when it is ready, and ends with 0', async () => {
  await using world = await startWorld()
  const good = await fetch(world.edge, { headers: { authorization: `Bearer ${world.key}` } })
  assert.deepEqual([good.status, good.headers.get('x-saturn-auth-id')], [204, world.authId])
  assert.equal((await fetch(world.edge)).status, 401)
  assert.equal((await fetch(`${world.metrics}/readyz`)).status, 200)
  assert.match(await (await fetch(`${world.metrics}/metrics`)).text(), /ascribe_edge_answers_total\{[^}]*204[^}]*\} 1/)
  const { code, stderr } = await world.stopEdge()
  assert.equal(code, 0, stderr)
  assert.ok(!stderr.includes(world.key))
})

test('ascribe edge takes tokens of an issuer beside keys, by its published keys, and is 503 for tokens alone while those cannot be had', async () => {
  await using issuer = start(['sandbox', 'issuer', '--json', '--audience', 'inference'])
  const { issuer: url, users } = JSON.parse((await issuer.firstLine) ?? '') as { issuer: string; users: { username: string }[] }
  const minted = await fetch(new URL('/sandbox/tokens', url), { method: 'POST', body: JSON.stringify({ user: users[0]?.username }) })
  const { access_token: token } = (await minted.json()) as { access_token: string }
  const [, payload = ''] = token.split('.')
  const { sub } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sub: string }
  const env = { ASCRIBE_EDGE_JWT_ISSUER: url, ASCRIBE_EDGE_JWT_AUDIENCE: 'inference' }
  const ask = (edge: string, credential: string): Promise<Response> => fetch(edge, { headers: { authorization: `Bearer ${credential}` } })
  {
    await using world = await startWorld(env)
    const answer = await ask(world.edge, token)
    assert.deepEqual([answer.status, answer.headers.get('x-saturn-auth-id')], [204, sub])
    assert.equal((await ask(world.edge, `${token.slice(0, -8)}AAAAAAAA`)).status, 401)
  }
  await using world = await startWorld(env)
  await issuer[Symbol.asyncDispose]()
  assert.deepEqual([(await ask(world.edge, token)).status, (await ask(world.edge, world.key)).status], [503, 204])
})

test('ascribe edge refuses half an issuer, keys that anybody could change, and rules that can never fit, before it listens', async () => {
  using dir = temporaryDir()
  const startWith = (env: Readonly<Record<string, string>>): ReturnType<typeof run> =>
    run(['edge', '--data', dir.path, '--port', '0'], { env })
  const half = await startWith({ ASCRIBE_EDGE_JWT_ISSUER: 'https://login.example.com' })
  assert.equal(half.code, 2)
  assert.match(half.stderr, /edge\.jwt\.audience is missing/)
  const open = { ASCRIBE_EDGE_JWT_ISSUER: 'https://login.example.com', ASCRIBE_EDGE_JWT_JWKS: 'http://login.example.com/keys' }
  const plain = await startWith({ ...open, ASCRIBE_EDGE_JWT_AUDIENCE: 'inference' })
  assert.equal(plain.code, 2)
  assert.match(plain.stderr, /edge\.jwt\.jwks is not https/)
  const rules = await startWith({ ASCRIBE_EDGE_RULES: '[{ resource_id: x }]', ASCRIBE_OPS_PORT: '0' })
  assert.equal(rules.code, 2)
  assert.match(rules.stderr, /rule 1 of the edge: it names neither host nor path/)
})

test('ascribe doctor --edge ends with 0 behind a proxy that strips, with 1 behind one that does not, and says what arrived', async () => {
  await using world = await startWorld()
  const { edge, gateway, keyFile, env, dir } = world
  const doctor = (url: string, ...more: readonly string[]): ReturnType<typeof run> =>
    run(['doctor', '--edge', url, '--key-file', keyFile, '--data', dir, ...more], { env })
  await using careful = await startForwardAuth({ edge, gateway, strips: true })
  const fine = await doctor(careful.url)
  assert.equal(fine.code, 0, fine.stdout + fine.stderr)
  assert.match(fine.stdout, new RegExp(`✓ nothing forged +auth id ${world.authId}, the resource of the model's route, from 127`))
  await using careless = await startForwardAuth({ edge, gateway, strips: false })
  const wrong = await doctor(careless.url)
  assert.equal(wrong.code, 1)
  assert.match(
    wrong.stdout,
    /✗ underscores +forged headers arrive: x_saturn_auth_id|✗ underscores +forged headers arrive: X_Saturn_Auth_Id/i,
  )
  assert.ok(!(fine.stdout + wrong.stdout + wrong.stderr).includes(world.key))
  const otherSecret = await run(['doctor', '--edge', careful.url, '--key-file', keyFile, '--data', dir], {
    env: { ...env, ASCRIBE_SERVER_SECRET: '08'.repeat(32) },
  })
  assert.match(otherSecret.stdout, /the gateway has another server secret/)
  await world.stopEdge()
  const down = await doctor(careful.url)
  assert.equal(down.code, 1)
})

test('ascribe doctor --edge ends with 2 when it cannot be tried: no key, no such file, no URL', async () => {
  using dir = temporaryDir()
  const doctor = async (...args: readonly string[]): Promise<number | null> => (await run(['doctor', '--data', dir.path, ...args])).code
  assert.equal(await doctor('--edge', 'http://127.0.0.1:9'), 2)
  assert.equal(await doctor('--edge', 'http://127.0.0.1:9', '--key-file', join(dir.path, 'none')), 2)
  const keyFile = join(dir.path, 'key.txt')
  writeFileSync(keyFile, 'two words')
  assert.equal(await doctor('--edge', 'http://127.0.0.1:9', '--key-file', keyFile), 2)
  writeFileSync(keyFile, 'key')
  assert.equal(await doctor('--edge', 'ftp://127.0.0.1', '--key-file', keyFile), 2)
  assert.equal(await doctor('--key-file', keyFile), 2)
  assert.equal(await doctor('--edge', 'http://127.0.0.1:9', '--key-file', keyFile), 1)
})

type Middleware = {
  readonly headers?: { readonly customRequestHeaders: Readonly<Record<string, string>> }
  readonly forwardAuth?: {
    readonly trustForwardHeader: boolean
    readonly authRequestHeaders: readonly string[]
    readonly authResponseHeaders: readonly string[]
    readonly authResponseHeadersRegex: string
  }
}

test('deploy: the sites for Traefik, nginx and Caddy hand on just what the edge says, and remove all that the gateway has a word for', async () => {
  await using world = await startWorld()
  const said = identityNames((await fetch(world.edge, { headers: { authorization: `Bearer ${world.key}` } })).headers)
  const lower = (names: Iterable<string>): string[] => [...new Set([...names].map((name) => name.toLowerCase()))].toSorted()
  const documents = parseAllDocuments(site('traefik', 'middlewares.yaml')).map(
    (each) => each.toJSON() as { readonly metadata: { readonly name: string }; readonly spec: Middleware },
  )
  const kubernetes = Object.fromEntries(documents.map(({ metadata, spec }) => [metadata.name, spec]))
  const file = parse(site('traefik', 'dynamic.yaml')) as {
    readonly http: {
      readonly middlewares: Readonly<Record<string, Middleware>>
      readonly routers: { 'ascribe-gateway': { middlewares: string[] } }
    }
  }
  const order = ['ascribe-strip', 'ascribe-edge', 'ascribe-drop-credentials']
  assert.deepEqual(file.http.routers['ascribe-gateway'].middlewares, order)
  const route = parse(site('traefik', 'ingress-route.yaml')) as {
    readonly spec: { readonly routes: { middlewares: { name: string }[] }[] }
  }
  assert.deepEqual(
    route.spec.routes[0]?.middlewares.map(({ name }) => name),
    order,
  )
  assert.deepEqual(
    JSON.parse(JSON.stringify(file.http.middlewares).replace('http://127.0.0.1:8085/', '')),
    JSON.parse(JSON.stringify(kubernetes).replace('http://ascribe-edge.ascribe-system.svc:8085/', '')),
  )
  const asking = file.http.middlewares['ascribe-edge']?.forwardAuth
  assert.deepEqual(lower(asking?.authResponseHeaders ?? []), said)
  assert.equal(asking?.trustForwardHeader, false)
  // Go writes flags in front.
  const family = new RegExp(asking.authResponseHeadersRegex.replace('(?i)', ''), 'i')
  for (const name of ['X-Saturn-Auth-Id', 'X_saturn_auth_id', 'x-saturn-whatever', 'X-Saturn_Org-Id']) assert.match(name, family)
  assert.doesNotMatch('X-Request-Id', family)
  const removed = file.http.middlewares['ascribe-strip']?.headers?.customRequestHeaders ?? {}
  for (const ending of ['Auth-Id', 'User-Id', 'Group-Id', 'Resource-Id', 'Resource-Type', 'Base-Model', 'Org-Id'])
    assert.equal(removed[`X-Saturn-${ending}`], '')
  assert.deepEqual(
    lower(
      site('nginx', 'ascribe.conf')
        .matchAll(/proxy_set_header (X-Saturn-\S+)/g)
        .map(([, name = '']) => name),
    ),
    said,
  )
  assert.deepEqual(lower(/copy_headers (.*)/.exec(site('caddy', 'Caddyfile'))?.[1]?.split(' ') ?? []), said)
})

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempDisposableSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { organization32, parseOriginPattern } from '@ascribe/identity/view-as'
import { consoleRoutes } from '../src/console/console-routes.ts'
import type { ConsoleOptions } from '../src/console/console-routes.ts'
import { operatorPage } from '../src/console/operator-page.ts'
import { PlainReply } from '../src/handler.ts'
import type { RequestContext } from '../src/handler.ts'
import { createRouter } from '../src/http/router.ts'
import { operatorReads } from '../src/internal/start.ts'

const HTML = `<html><meta property="csp-nonce" nonce="{nonce}"><script type="module" src="./assets/index-abc.js" nonce="{nonce}"></script>
<link rel="icon" href="./favicon.svg"><script type="application/json" id="ascribe-config">"{config}"</script></html>`
const SCRIPT = 'console.log("$&")'.repeat(100)
const ORGANIZATION = '018f4d5e-7b6a-7c3d-8e9f-0a1b2c3d4e5f'
const NOW = Date.parse('2026-11-22T14:05:00Z')

type Ask = (path: string, headers?: Readonly<Record<string, string>>) => Promise<PlainReply>

function served(folder: string | undefined, change: Partial<ConsoleOptions> = {}, listener: 'public' | 'internal' = 'public'): Ask {
  const page = { mode: 'customer', apiBase: '', hasLogin: true, mayExport: true } as const
  const site = { folder: async () => folder, provider: 'A </script><!-- provider' }
  const router = createRouter(consoleRoutes(listener, { site, config: () => page, ...change }))
  return async (path, headers = {}) => {
    const found = router.find(path)
    assert.ok(found !== undefined && found !== 'malformed', path)
    const route = found.byMethod.get('GET')
    assert.ok(route !== undefined)
    const context = { headers, rawHeaders: Object.entries(headers).flat(), clock: () => NOW } as unknown as RequestContext
    const reply = await route.handle(context, { params: found.params, query: {}, body: undefined })
    assert.ok(reply instanceof PlainReply)
    return reply
  }
}

function bundle(): { readonly path: string } & Disposable {
  const folder = mkdtempDisposableSync(join(tmpdir(), 'ascribe-bundle-'))
  mkdirSync(join(folder.path, 'assets'))
  writeFileSync(join(folder.path, 'index.html'), HTML)
  writeFileSync(join(folder.path, 'favicon.svg'), '<svg/>')
  writeFileSync(join(folder.path, '.inputs'), 'secret')
  writeFileSync(join(folder.path, 'assets/index-abc.js'), SCRIPT)
  writeFileSync(join(folder.path, 'assets/index-abc.js.gz'), gzipSync(SCRIPT))
  return folder
}

const text = ({ body }: PlainReply): string => (typeof body === 'string' ? body : new TextDecoder().decode(body as Uint8Array))
const block = (html: string): Readonly<Record<string, unknown>> =>
  JSON.parse(/id="ascribe-config">(.*?)<\/script>/s.exec(html)?.[1] ?? '') as Readonly<Record<string, unknown>>

test('consoleRoutes() give one page for every path, with a nonce, a policy and a data block of its own', async () => {
  using folder = bundle()
  const ask = served(folder.path)
  const nonces = new Set<string>()
  for (const path of ['/console', '/console/', '/console/overview', '/console/invoices/2026.10', '/console/as/../x']) {
    const reply = await ask(path)
    const html = text(reply)
    const nonce = /csp-nonce" nonce="([^"]+)"/.exec(html)?.[1] ?? ''
    nonces.add(nonce)
    assert.match(html, /src="\/console\/assets\/index-abc\.js"/)
    const policy = reply.headers['content-security-policy'] ?? ''
    assert.ok(
      policy.includes(`style-src 'self' 'nonce-${nonce}'`) &&
        policy.includes("script-src 'self';") &&
        policy.includes("connect-src 'self';"),
    )
    assert.ok(policy.startsWith("default-src 'none'") && !policy.includes('unsafe'))
    assert.deepEqual(block(html), {
      mode: 'customer',
      apiBase: '',
      hasLogin: true,
      mayExport: true,
      basePath: '/console/',
      provider: 'A </script><!-- provider',
      now: NOW,
    })
    assert.equal(html.includes('{nonce}'), false)
    assert.equal(reply.headers['cache-control'], undefined, "the listener's own: never kept")
  }
  assert.equal(nonces.size, 5)
})

test('consoleRoutes() let hashed assets alone be kept, small where that is taken, and know no other file', async () => {
  using folder = bundle()
  const ask = served(folder.path)
  const plain = await ask('/console/assets/index-abc.js')
  assert.deepEqual(
    [text(plain), plain.headers['cache-control'], plain.headers['vary']],
    [SCRIPT, 'public, max-age=31536000, immutable', 'Accept-Encoding'],
  )
  for (const accepted of ['gzip', 'gzip, deflate, br', 'deflate, gzip;q=0.5'])
    assert.equal((await ask('/console/assets/index-abc.js', { 'accept-encoding': accepted })).headers['content-encoding'], 'gzip', accepted)
  for (const accepted of ['', 'identity', 'gzip;q=0', 'xgzip'])
    assert.equal(
      (await ask('/console/assets/index-abc.js', { 'accept-encoding': accepted })).headers['content-encoding'],
      undefined,
      accepted,
    )
  const icon = await ask('/console/favicon.svg')
  assert.deepEqual([text(icon), icon.headers['cache-control']], ['<svg/>', undefined])
  for (const name of ['nothing.js', '..%2f.inputs', '..%2findex.html', '.inputs'])
    await assert.rejects(ask(`/console/assets/${name}`), { code: 'route_not_found' })
})

test('consoleRoutes() say in words that nothing is built, and look again', async () => {
  using folder = bundle()
  let path: string | undefined
  const ask = served(undefined, { site: { folder: async () => path } })
  const reply = await ask('/console/overview')
  assert.equal(reply.status, 503)
  assert.match(text(reply), /not built/)
  path = folder.path
  assert.equal((await ask('/console/overview')).status, 200)
})

test('operatorPage() asks the API elsewhere only from a host of the allow-list, as its own organization alone (R1)', async () => {
  using folder = bundle()
  const config = operatorPage({
    publicOrigin: 'https://api.example.com',
    allowOrigins: ['https://aws-us-east-1-{org32}-0.example.com', 'https://console.example.com'].map(parseOriginPattern),
    mayExport: false,
  })
  const ask = served(folder.path, { config }, 'internal')
  const told = async (host?: string): Promise<readonly unknown[]> => {
    const reply = await ask('/internal-console/as/x/keys', host === undefined ? {} : { 'X-Forwarded-Host': host })
    const { apiBase, organizationId, basePath, mayExport } = block(text(reply))
    assert.equal(reply.headers['content-security-policy']?.includes('https://api.example.com'), apiBase !== '')
    return [apiBase, organizationId, basePath, mayExport]
  }
  const environment = `aws-us-east-1-${organization32(ORGANIZATION)}-0.example.com`
  assert.deepEqual(await told(environment), ['https://api.example.com', ORGANIZATION, '/internal-console/', false])
  assert.deepEqual(await told('console.example.com'), ['https://api.example.com', undefined, '/internal-console/', false])
  for (const host of [
    'api.example.com',
    undefined,
    `${environment}.evil.example`,
    'evil.example',
    `aws-us-east-1-${'z'.repeat(26)}-0.example.com`,
  ])
    assert.deepEqual((await told(host)).slice(0, 2), ['', undefined], String(host))
})

test('operatorReads() keeps every file in where the installation says so, and nothing else', () => {
  const ids = (mayExport: boolean): readonly string[] => operatorReads(mayExport).map(({ def }) => def.operationId)
  const kept = new Set(ids(false))
  const files = ids(true).filter((id) => !kept.has(id))
  assert.deepEqual(files.toSorted(), ['exportAccessLog', 'exportCharges'])
})

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { extname, join, normalize } from 'node:path'

/** The console on its mocks, built once: every state is a reload away, and no database is needed. */
export type MockSite = AsyncDisposable & { readonly urlOf: (mode: 'customer' | 'operator') => string }

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

export async function startMockSite(): Promise<MockSite> {
  await using stack = new AsyncDisposableStack()
  const dir = mkdtempSync(join(tmpdir(), 'ascribe-console-'))
  stack.defer(() => rmSync(dir, { recursive: true, force: true }))
  const builder = join(import.meta.dirname, '../../../apps/console/build/main.ts')
  const { status, stderr } = spawnSync(process.execPath, [builder, '--mocked', dir], { stdio: ['ignore', 'ignore', 'pipe'] })
  if (status !== 0) throw new Error(`Cannot build the console:\n${stderr.toString()}`)
  const template = readFileSync(join(dir, 'index.html'), 'utf8')
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const [, base = 'console', rest = ''] = /^\/([^/]+)\/(.*)$/.exec(pathname) ?? []
    if (pathname === '/healthz') return void response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}')
    const type = TYPES[extname(rest)]
    if (type === undefined) return void response.writeHead(200, { 'content-type': 'text/html' }).end(pageOf(template, base))
    try {
      response.writeHead(200, { 'content-type': type }).end(readFileSync(join(dir, normalize(`/${rest}`))))
    } catch {
      response.writeHead(404).end()
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stack.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const owned = stack.move()
  return {
    urlOf: (mode) => `http://127.0.0.1:${port}/${mode === 'customer' ? 'console' : 'internal-console'}`,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function pageOf(template: string, base: string): string {
  const config = {
    mode: base === 'console' ? 'customer' : 'operator',
    apiBase: '',
    basePath: `/${base}/`,
    provider: 'the provider',
    hasLogin: true,
    mayExport: true,
    gatewayUrl: 'http://127.0.0.1:8080',
    now: Date.now(),
  }
  return template
    .replace('<html lang="en">', '<html lang="en" data-dev="mock">')
    .replaceAll(/(src|href)="\.\//g, (_, name: string) => `${name}="/${base}/`)
    .replace('"{config}"', () => JSON.stringify(config))
    .replaceAll('{nonce}', '')
}

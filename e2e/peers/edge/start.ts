import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectionFault } from '@ascribe/service'
import { freePort } from '../support/free-port.ts'
import { spawnTied } from '../support/tied-process.ts'
import type { TiedProcess } from '../support/tied-process.ts'
import { until } from '../support/until.ts'

/** A real proxy with our site for it. */
export type Proxy = AsyncDisposable & { readonly url: string; readonly port: number; log(): string }

export type ProxyOptions = {
  /** Of its own. */
  readonly dir: string
  /** `host:port` of `ascribe edge`. */
  readonly edge: string
  /** `host:port` of what is behind it. */
  readonly gateway: string
  /** Changes the site: to break it on purpose. */
  readonly change?: (site: string) => string
}

export type StartProxy = (options: ProxyOptions) => Promise<Proxy>

const SITES = join(import.meta.dirname, '..', '..', '..', 'deploy')

/** `deploy/nginx/ascribe.conf` as it is, but for the addresses. */
export const startNginx: StartProxy = async ({ dir, edge, gateway, change = same }) => {
  const port = await freePort()
  mkdirSync(dir, { recursive: true })
  const site = replaceOnce(readFileSync(join(SITES, 'nginx', 'ascribe.conf'), 'utf8'), {
    'server 127.0.0.1:8085;': `server ${edge};`,
    'server 127.0.0.1:8080;': `server ${gateway};`,
    'listen 80;': `listen 127.0.0.1:${port};`,
  })
  writeFileSync(join(dir, 'ascribe.conf'), change(site))
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${join(dir, name)};`)
  const asRoot = process.getuid?.() === 0 ? 'user root;' : ''
  const whole = `${asRoot} worker_processes 1; pid ${join(dir, 'nginx.pid')}; error_log stderr info; events { worker_connections 512; }
http { access_log off; ${temporary.join(' ')} include ${join(dir, 'ascribe.conf')}; }\n`
  writeFileSync(join(dir, 'nginx.conf'), whole)
  const start = ['-e', 'stderr', '-p', dir, '-c', join(dir, 'nginx.conf'), '-g', 'daemon off;']
  return running(spawnTied('nginx', start), port)
}

/** `deploy/caddy/Caddyfile` as it is; its addresses are variables. */
export const startCaddy: StartProxy = async ({ dir, edge, gateway, change = same }) => {
  const port = await freePort()
  mkdirSync(dir, { recursive: true })
  const site = join(dir, 'site.caddyfile')
  writeFileSync(site, change(readFileSync(join(SITES, 'caddy', 'Caddyfile'), 'utf8')))
  const file = join(dir, 'Caddyfile')
  writeFileSync(file, `{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n}\nimport ${site}\n`)
  const env = {
    ASCRIBE_SITE: `http://:${port}`,
    ASCRIBE_EDGE: edge,
    ASCRIBE_GATEWAY: gateway,
    XDG_DATA_HOME: dir,
    XDG_CONFIG_HOME: dir,
    HOME: dir,
  }
  return running(spawnTied('caddy', ['run', '--config', file, '--adapter', 'caddyfile'], { env }), port)
}

const same = (site: string): string => site

function replaceOnce(text: string, words: Readonly<Record<string, string>>): string {
  return Object.entries(words).reduce((changed, [from, to]) => {
    assert.equal(changed.split(from).length, 2, `${from} stands once in the site`)
    return changed.replace(from, to)
  }, text)
}

async function running(child: TiedProcess, port: number): Promise<Proxy> {
  let log = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (log += text))
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null
  await until(async () => hasEnded() || (await connectionFault({ host: '127.0.0.1', port }, 1000)) === undefined, 'the proxy listens')
  if (hasEnded()) throw new Error(`The proxy did not come up:\n${log}`)
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    log: () => log,
    async [Symbol.asyncDispose]() {
      if (hasEnded()) return
      const ended = once(child, 'close')
      child.kill('SIGTERM')
      await ended
    },
  }
}

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Contestant } from './contestants.ts'
import { Unavailable } from './errors.ts'
import { start } from './processes.ts'
import { IDENTITY_HEADERS } from './requests.ts'

const READY_MS = 5_000

/** A real nginx: one worker, connections to the engine kept, no access log. The floor that everything is compared with. */
export async function startNginx(enginePort: number, places: { readonly cache: string; readonly scratch: string }): Promise<Contestant> {
  const program = nginxProgram(places.cache)
  const dir = mkdtempSync(join(places.scratch, 'nginx-'))
  mkdirSync(join(dir, 'logs'))
  const [port, streamPort] = [await freePort(), await freePort()]
  writeFileSync(join(dir, 'nginx.conf'), configuration(dir, { enginePort, port, streamPort }))
  const started = start([program, '-p', dir, '-c', join(dir, 'nginx.conf'), '-e', join(dir, 'logs', 'error.log')], { core: 'contestant' })
  const giveUp = performance.now() + READY_MS
  while (!(await answers(port)) || !(await answers(streamPort))) {
    if (performance.now() > giveUp || started.process.exitCode !== null)
      throw new Unavailable(`Cannot start nginx: ${started.complaints()}`)
    await delay(20)
  }
  return {
    name: 'nginx',
    version: versionOf(program),
    pid: started.pid,
    port,
    streamPort,
    headers: IDENTITY_HEADERS,
    async [Symbol.asyncDispose]() {
      await started[Symbol.asyncDispose]()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

function configuration(dir: string, ports: { readonly enginePort: number; readonly port: number; readonly streamPort: number }): string {
  const server = (port: number, more: string): string =>
    `server { listen 127.0.0.1:${port} backlog=4096; location / { proxy_pass http://engine; proxy_http_version 1.1; proxy_set_header Connection ""; ${more} } }`
  // Only root may name another user; without the line nginx takes `nobody`, who cannot write here.
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  return `
daemon off; ${user} worker_processes 1; worker_rlimit_nofile 16384; pid ${dir}/nginx.pid; error_log ${dir}/logs/error.log error;
events { worker_connections 8192; use epoll; }
http {
  access_log off; tcp_nodelay on; keepalive_timeout 600s; keepalive_requests 1000000000;
  client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/fastcgi; uwsgi_temp_path ${dir}/uwsgi; scgi_temp_path ${dir}/scgi;
  upstream engine { server 127.0.0.1:${ports.enginePort}; keepalive 1024; keepalive_requests 1000000000; keepalive_timeout 600s; }
  ${server(ports.port, '')}
  ${server(ports.streamPort, 'proxy_buffering off;')}
}
`
}

function nginxProgram(cache: string): string {
  for (const program of ['/usr/sbin/nginx', join(cache, 'nginx', 'usr', 'sbin', 'nginx')]) if (works(program)) return program
  if (works('nginx')) return 'nginx'
  return unpackNginx(cache)
}

/** Fetches Debian's package and unpacks it into the cache: nothing is installed, and no server is started. */
function unpackNginx(cache: string): string {
  const dir = join(cache, 'nginx')
  mkdirSync(dir, { recursive: true })
  const run = (program: string, ...rest: string[]): void =>
    void execFileSync(program, rest, { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] })
  for (const name of ['nginx', 'nginx-core']) {
    try {
      try {
        run('apt-get', 'download', name)
      } catch {
        // The lists of a fresh container are empty.
        if (process.getuid?.() === 0) run('apt-get', 'update')
        run('apt-get', 'download', name)
      }
      run('sh', '-c', `dpkg-deb -x "$(ls -t ${name}_*.deb | head -1)" .`)
    } catch {
      continue
    }
    const program = join(dir, 'usr', 'sbin', 'nginx')
    if (works(program)) return program
  }
  throw new Unavailable('Cannot find nginx, and its Debian package cannot be fetched: install it (on Debian: apt-get install nginx-light)')
}

function works(program: string): boolean {
  return versionOf(program) !== ''
}

function versionOf(program: string): string {
  if (program.startsWith('/') && !existsSync(program)) return ''
  try {
    // It says its version on stderr.
    return execFileSync('sh', ['-c', `"${program}" -v 2>&1`], { encoding: 'utf8' })
      .replace('nginx version: nginx/', '')
      .trim()
  } catch {
    return ''
  }
}

/** A port that nobody has. Another process may take it before it is used; then the start fails and says so. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return port
}

/** Whether something accepts connections there. */
export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

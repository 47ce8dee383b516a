import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Contestant } from './contestants.ts'
import { Unavailable } from './errors.ts'
import { answers, freePort } from './nginx.ts'
import { start } from './processes.ts'

const VERSION = '1.15.2'
const READY_MS = 20_000

/** As it is published it fails every stream: its web server's newer releases refuse what it does to headers. These do not. */
const MANIFEST = {
  private: true,
  dependencies: { '@portkey-ai/gateway': VERSION },
  overrides: { '@hono/node-server': '1.13.8', '@hono/node-ws': '1.1.0' },
}

/** Portkey's gateway, on the Node that runs us. It keeps no durable record of usage. */
export async function startPortkey(enginePort: number, cache: string): Promise<Contestant> {
  const dir = install(join(cache, `portkey-${VERSION}`))
  const port = await freePort()
  const program = join(dir, 'node_modules', '@portkey-ai', 'gateway', 'build', 'start-server.js')
  const started = start([process.execPath, program, `--port=${port}`, '--headless'], {
    core: 'contestant',
    cwd: dir,
    env: { ...process.env, NODE_ENV: 'production', TRUSTED_CUSTOM_HOSTS: '127.0.0.1,localhost' },
  })
  started.process.stdout?.resume()
  const giveUp = performance.now() + READY_MS
  while (!(await answers(port))) {
    if (performance.now() > giveUp || started.process.exitCode !== null)
      throw new Unavailable(`Cannot start Portkey: ${started.complaints()}`)
    await delay(50)
  }
  return {
    ...started,
    name: 'portkey',
    version: VERSION,
    port,
    headers: [
      ['Authorization', 'Bearer sk-none'],
      ['X-Portkey-Provider', 'openai'],
      ['X-Portkey-Custom-Host', `http://127.0.0.1:${enginePort}/v1`],
      ['X-Portkey-Trace-Id', 'bench'],
    ],
    loose: true,
  }
}

function install(dir: string): string {
  const manifest = JSON.stringify(MANIFEST)
  const path = join(dir, 'package.json')
  const done = join(dir, 'installed')
  if (existsSync(done) && readFileSync(done, 'utf8') === manifest) return dir
  mkdirSync(dir, { recursive: true })
  writeFileSync(path, manifest)
  try {
    execFileSync('npm', ['install', '--no-fund', '--no-audit', '--ignore-scripts', '--loglevel=error'], {
      cwd: dir,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
  } catch (cause) {
    throw new Unavailable(`Cannot install @portkey-ai/gateway ${VERSION} with npm`, { cause })
  }
  writeFileSync(done, manifest)
  return dir
}

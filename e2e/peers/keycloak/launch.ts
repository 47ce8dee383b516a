import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../support/free-port.ts'
import { spawnTied } from '../support/tied-process.ts'
import type { TiedProcess } from '../support/tied-process.ts'

export type LaunchOptions = {
  readonly home: string
  readonly database: Database
  /** Reads the realms in `data/import` first; a start from an imported database does not need it, and takes half the time. */
  readonly isImporting?: boolean
  /** More options of `kc.sh start`. */
  readonly options?: readonly string[]
}

/** The folder of a server's own files. */
export type Database = { readonly dir: string; readonly url: string }

/** A server that runs. */
export type Launched = {
  /** `http://127.0.0.1:PORT`: Keycloak makes the issuer of the Host header, so that `localhost` would be another issuer. */
  readonly url: string
  log(): string
  stop(): Promise<void>
}

/** Both realms answer, imported or not. */
const READY_PATHS = ['/realms/cloud', '/realms/customers']
/** 7 to 10 s from an imported database, 20 to 30 s with the import, on two busy cores. */
const START_MS_MAX = 240_000
const STOP_MS_MAX = 20_000
const POLL_MS = 50
const LOG_LINES = 80

// C1 and the serial collector halve the processor time of a start.
const JVM = ['-Xms64m', '-Xmx192m', '-XX:MaxMetaspaceSize=256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dfile.encoding=UTF-8']
// What bin/kc.sh of 26.7.4 passes. It is left out because it keeps its Java as a child, which outlives a kill of the script.
const KC_SH = [
  '-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory',
  ...['java.util', 'java.util.concurrent', 'java.security', 'java.lang'].map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
  '-Duser.language=en',
  '-Duser.country=US',
  '-Djava.util.logging.manager=org.jboss.logmanager.LogManager',
  '-Dpicocli.disable.closures=true',
]

/** A database in a file of `dir`, which is made. */
export function databaseIn(dir: string): Database {
  mkdirSync(dir, { recursive: true })
  return { dir, url: `jdbc:h2:file:${join(dir, 'keycloakdb')};NON_KEYWORDS=VALUE` }
}

/** Starts a built server on loopback, on a free port, and waits until it serves. @throws {Error} with the end of its log */
export async function launch({ home, database, isImporting = false, options = [] }: LaunchOptions): Promise<Launched> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const place = [`-Dkc.home.dir=${home}`, `-Djboss.server.config.dir=${join(home, 'conf')}`]
  const main = ['-cp', join(home, 'lib', 'quarkus-run.jar'), 'io.quarkus.bootstrap.runner.QuarkusEntryPoint']
  // Without --cache=local *here* it also listens for a cluster on the outer interface.
  const start = ['start', '--optimized', '--cache=local', '--http-enabled=true', '--hostname-strict=false', ...options]
  const bound = ['--http-host=127.0.0.1', `--http-port=${port}`, `--db-url=${database.url}`]
  const child = spawnTied('java', [...JVM, ...KC_SH, ...place, ...main, ...start, ...bound, ...(isImporting ? ['--import-realm'] : [])], {
    env: {
      KC_BOOTSTRAP_ADMIN_USERNAME: 'admin',
      KC_BOOTSTRAP_ADMIN_PASSWORD: 'admin',
      // Else all servers of one home write to one folder.
      QUARKUS_TRANSACTION_MANAGER_OBJECT_STORE_DIRECTORY: join(database.dir, 'transactions'),
    },
  })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      if (lines.length > LOG_LINES) lines.shift()
    })
  }
  const log = (): string => lines.join('\n')
  if (!(await isServing(child, url))) {
    await stop(child)
    throw new Error(`Keycloak did not come up:\n${log()}`)
  }
  return { url, log, stop: () => stop(child) }
}

async function isServing(child: TiedProcess, url: string): Promise<boolean> {
  const deadline = Date.now() + START_MS_MAX
  for (const path of READY_PATHS) {
    while (!(await answers(url + path))) {
      if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) return false
      // Nothing tells when it serves but its answer; before that it refuses connections, then says 503.
      await delay(POLL_MS)
    }
  }
  return true
}

async function answers(url: string): Promise<boolean> {
  const reply = await fetch(url).catch(() => undefined)
  await reply?.arrayBuffer()
  return reply?.ok === true
}

async function stop(child: TiedProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'close')
  child.kill()
  const patience = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
  await ended
  clearTimeout(patience)
}

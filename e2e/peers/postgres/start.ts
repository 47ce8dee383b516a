import { once } from 'node:events'
import { chownSync, existsSync, globSync, mkdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { spawnSync } from 'node:child_process'
import { basename, join } from 'node:path'
import { freePort } from '../support/free-port.ts'
import { spawnTied } from '../support/tied-process.ts'
import type { TiedProcess } from '../support/tied-process.ts'
import { PeerUnavailable } from '../support/unavailable.ts'

/** A PostgreSQL of the distribution on loopback, that can be killed and started again. Ends with us, however we end. */
export type PostgresPeer = AsyncDisposable & {
  readonly version: string
  /** Of its first database, as its superuser. The same through all of its lives. */
  readonly url: string
  /** Another database, or role, on it. */
  urlOf(database: string, role?: string): string
  /** Stops it at once, as a crash does; what is committed stays. */
  kill(): Promise<void>
  start(options?: StartOptions): Promise<void>
  log(): string
}

const LOG_LINES = 60
const START_MS_MAX = 30_000
const PEER = 'postgresql'

type Owner = { readonly uid: number; readonly gid: number } | undefined

export type PostgresOptions = {
  /** Settings of the server, as `fsync: 'off'`. */
  readonly settings?: Readonly<Record<string, string>>
}

/** How a server is started. */
export type StartOptions = {
  /** No file of it may be larger: a disk that is full, for whoever writes to a large table. */
  readonly fileBytesMax?: number
}

/** Makes a cluster in `dir` and starts it. @throws {PeerUnavailable} */
export async function startPostgres(dir: string, { settings = {} }: PostgresOptions = {}): Promise<PostgresPeer> {
  const bin = binariesOf()
  const owner = ownerOf()
  const data = join(dir, 'cluster')
  mkdirSync(data, { recursive: true, mode: 0o700 })
  if (owner !== undefined) for (const path of [dir, data]) chownSync(path, owner.uid, owner.gid)
  const made = spawnSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'peer', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync', '--wal-segsize=1'],
    owner === undefined ? {} : { uid: owner.uid, gid: owner.gid },
  )
  if (made.status !== 0) throw new PeerUnavailable(PEER, `initdb failed: ${String(made.stderr).trim().split('\n').at(-1) ?? ''}`)
  const port = await freePort()
  const lines: string[] = []
  let child: TiedProcess | undefined

  async function start({ fileBytesMax }: StartOptions = {}): Promise<void> {
    const command = [join(bin, 'postgres'), '-D', data, '-p', String(port), '-k', dir, '-c', 'listen_addresses=127.0.0.1']
    for (const [name, value] of Object.entries(settings)) command.push('-c', `${name}=${value}`)
    // As root it refuses to run; setpriv becomes the other user and then the program, so that the process stays the one we know.
    const as = owner === undefined ? [] : ['setpriv', `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups']
    const limit = fileBytesMax === undefined ? [] : ['prlimit', `--fsize=${fileBytesMax}`]
    const [program = '', ...args] = [...limit, ...as, ...command]
    const started = spawnTied(program, args)
    child = started
    const ready = Promise.withResolvers<boolean>()
    createInterface({ input: started.stderr }).on('line', (line) => {
      lines.push(line)
      if (lines.length > LOG_LINES) lines.shift()
      if (line.includes('ready to accept connections')) ready.resolve(true)
    })
    started.stdout.resume()
    started.once('close', () => ready.resolve(false))
    const patience = setTimeout(() => ready.resolve(false), START_MS_MAX)
    const isUp = await ready.promise
    clearTimeout(patience)
    if (!isUp) throw new Error(`PostgreSQL did not come up:\n${lines.join('\n')}`)
  }

  async function kill(): Promise<void> {
    const victim = child
    if (victim === undefined || victim.exitCode !== null || victim.signalCode !== null) return
    const ended = once(victim, 'exit')
    // "Immediate": every session is cut, nothing is flushed; the next start recovers.
    victim.kill('SIGQUIT')
    await ended
  }

  await start()
  const urlOf = (database: string, role = 'peer'): string => `postgres://${role}@127.0.0.1:${port}/${database}`
  return {
    version: basename(join(bin, '..')),
    url: urlOf('postgres'),
    urlOf,
    kill,
    start,
    log: () => lines.join('\n'),
    [Symbol.asyncDispose]: kill,
  }
}

function binariesOf(): string {
  const found = globSync('/usr/lib/postgresql/*/bin').filter((path) => existsSync(join(path, 'postgres')))
  const newest = found.toSorted((a, b) => Number(basename(join(a, '..'))) - Number(basename(join(b, '..')))).at(-1)
  if (newest === undefined) throw new PeerUnavailable(PEER, 'there is none in /usr/lib/postgresql (on Debian: apt-get install postgresql)')
  return newest
}

/** Root becomes the distribution's own user; anybody else runs it as they are. */
function ownerOf(): Owner {
  if (process.getuid?.() !== 0) return undefined
  const [uid, gid] = ['-u', '-g'].map((flag) => Number(String(spawnSync('id', [flag, 'postgres']).stdout)))
  if (uid === undefined || gid === undefined || !(uid > 0)) throw new PeerUnavailable(PEER, 'there is no user postgres to run it as')
  return { uid, gid }
}

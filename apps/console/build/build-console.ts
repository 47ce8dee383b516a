import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { CONSOLE_DIR, viteConfig } from './vite-config.ts'

/** Where the built console is, or will be. */
const consoleDist: string = join(CONSOLE_DIR, 'dist')

/** Of the inputs that the folder beside it was made from. */
const STAMP = '.inputs'
/** A build takes seconds; whoever holds the lock for longer has died. */
const LOCK_MS_MAX = 180_000
const LOCK_POLL_MS = 100
/** Less fits into one packet anyhow. */
const COMPRESS_BYTES_MIN = 1000

/** Everything that a byte of the bundle comes from. Versions of libraries stand in the lockfile; who builds has the repository. */
function inputsOf(): readonly string[] {
  const root = join(CONSOLE_DIR, '../..')
  const own = ['index.html', 'package.json', 'tsconfig.json', 'build/**/*.ts', 'src/**/*', 'public/**/*']
  const shared = ['units', 'kit', 'contract'].map((name) => `packages/${name}/src/**/*.ts`)
  const files = [...globSync(own, { cwd: CONSOLE_DIR }).map((path) => join(CONSOLE_DIR, path)), join(root, 'package-lock.json')]
  files.push(...globSync(shared, { cwd: root }).map((path) => join(root, path)))
  return files.filter((path) => existsSync(path) && statSync(path).isFile() && !path.endsWith('.test.ts')).toSorted()
}

function stampOf(): string {
  const hash = createHash('sha256')
  for (const path of inputsOf()) hash.update(relative(CONSOLE_DIR, path)).update('\0').update(readFileSync(path)).update('\0')
  return hash.digest('hex')
}

function builtStamp(): string | undefined {
  const path = join(consoleDist, STAMP)
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}

/**
 * Builds the console unless what is there was built from the same bytes, and gives its folder. Several processes may ask at once: one
 * builds, the others wait.
 */
export async function buildConsole(): Promise<string> {
  const stamp = stampOf()
  if (builtStamp() === stamp) return consoleDist
  const release = await takeLock()
  try {
    if (builtStamp() !== stamp) await buildInto(stamp)
  } finally {
    release()
  }
  return consoleDist
}

async function buildInto(stamp: string): Promise<void> {
  const fresh = join(CONSOLE_DIR, `dist.${process.pid}.new`)
  const old = `${fresh}.old`
  try {
    const { build } = await import('vite')
    await build({ ...viteConfig(fresh), logLevel: 'warn' })
    compressAll(fresh)
    writeFileSync(join(fresh, STAMP), stamp)
    if (existsSync(consoleDist)) renameSync(consoleDist, old)
    renameSync(fresh, consoleDist)
  } finally {
    rmSync(old, { recursive: true, force: true })
    rmSync(fresh, { recursive: true, force: true })
  }
}

/** The console with what only a developer's page has: for looking at every state, never to be served. */
export async function buildMocked(dir: string): Promise<void> {
  const { build } = await import('vite')
  await build({ ...viteConfig(dir), define: { 'import.meta.env.DEV': 'true' }, logLevel: 'warn' })
}

/** Small once, here, and not for each request. What is small already stays as it is. */
function compressAll(folder: string): void {
  for (const name of globSync('**/*.{js,css,svg}', { cwd: folder })) {
    const path = join(folder, name)
    const bytes = readFileSync(path)
    if (bytes.byteLength < COMPRESS_BYTES_MIN) continue
    writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }))
    writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.byteLength } }))
  }
}

const HOLDER = 'pid'

/** Whoever took the lock was killed meanwhile. Before its id is there it is just being taken. */
function isLeft(lock: string): boolean {
  try {
    process.kill(Number(readFileSync(join(lock, HOLDER), 'utf8') || process.pid), 0)
    return false
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

/** A folder is made by one process alone. */
async function takeLock(): Promise<() => void> {
  const lock = join(CONSOLE_DIR, 'dist.lock')
  for (;;) {
    try {
      mkdirSync(lock)
      writeFileSync(join(lock, HOLDER), String(process.pid))
      return () => rmSync(lock, { recursive: true, force: true })
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
    }
    const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
    if (age > LOCK_MS_MAX || isLeft(lock)) rmSync(lock, { recursive: true, force: true })
    else await wait(LOCK_POLL_MS)
  }
}

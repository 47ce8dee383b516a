import { spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { DatabaseTarget } from '../connection.ts'
import { startEmbedded } from '../embedded/embedded.ts'
import type { EmbeddedPostgres } from '../embedded/embedded.ts'
import { withFileLock } from '../embedded/file-lock.ts'
import { POSTGRES_MAJOR } from '../embedded/native.ts'
import { findPostmaster } from '../embedded/postmaster.ts'
import { clusterOf, openFolder } from '../embedded/server-folder.ts'
import { EmbeddedFailedError } from '../errors.ts'
import { externalTestUrl } from './config.ts'
import { testTryLock } from './lock.ts'

/** A server that tests may make databases on. Disposing it gives this process's share back. */
export type TestServer = AsyncDisposable & {
  /** `embedded` is shared by the test processes of this user on this machine; `external` is what ASCRIBE_TEST_DATABASE_URL names. */
  readonly kind: 'embedded' | 'external'
  /** Where a database of this name is on the server. */
  targetOf(database: string): DatabaseTarget
  /** The same as a URL. */
  urlOf(database: string): string
  /** The database to make others from. */
  readonly maintenance: DatabaseTarget
}

/** Nothing in a test database has to survive the machine; it does survive a kill of the server. */
const SETTINGS = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '200', autovacuum: 'off' }

/** One folder for each user and version. */
export function testServerFolder(): string {
  return join(tmpdir(), `ascribe-test-postgres-${POSTGRES_MAJOR}-${process.geteuid?.() ?? 0}`)
}

export const caretakerLockOf = (folder: string): string => join(folder, 'caretaker.lock')

/** Joins or starts the server for tests, or names the one of ASCRIBE_TEST_DATABASE_URL. */
export async function createTestServer(): Promise<TestServer> {
  const url = externalTestUrl()
  return url === undefined ? embeddedServer() : externalServer(url)
}

function externalServer(url: string): TestServer {
  // By hand: a URL without a host, as that of a socket, is none to the URL class.
  const [, authority = url, query = ''] = /^(\w+:\/\/[^/?]*)[^?]*(\?.*)?$/.exec(url) ?? []
  const urlOf = (database: string): string => `${authority}/${encodeURIComponent(database)}${query}`
  return {
    kind: 'external',
    maintenance: { url },
    targetOf: (database) => ({ url: urlOf(database) }),
    urlOf,
    async [Symbol.asyncDispose]() {},
  }
}

async function embeddedServer(): Promise<TestServer> {
  const embedded = await startOrMakeAnew()
  await ensureCaretaker()
  const { socketDir, user } = embedded.target
  return {
    kind: 'embedded',
    maintenance: embedded.target,
    targetOf: (database) => ({ socketDir, user, database }),
    urlOf: (database) => embedded.url.replace('/ascribe?', `/${encodeURIComponent(database)}?`),
    [Symbol.asyncDispose]: () => embedded[Symbol.asyncDispose](),
  }
}

async function startOrMakeAnew(): Promise<EmbeddedPostgres> {
  const options = {
    dataDir: testServerFolder(),
    tryLock: testTryLock,
    settings: SETTINGS,
    stopWhenUnused: false, // The caretaker does, so that the processes of one run, one after the other, find it running.
    onChange: (change: 'lost' | 'running') => {
      if (change === 'running') void ensureCaretaker()
    },
  }
  try {
    return await startEmbedded(options)
  } catch (thrown) {
    // Without fsync a crash of the machine can leave a folder that no server starts on. Nothing in it is worth mending.
    if (!(thrown instanceof EmbeddedFailedError)) throw thrown
    const folder = await openFolder(options.dataDir)
    await withFileLock({ tryLock: testTryLock, path: join(folder, 'postgres.lock'), timeoutMs: 10_000 }, async () => {
      const isUsed = (await findPostmaster(clusterOf(folder))) !== undefined
      if (!isUsed) await rm(clusterOf(folder), { recursive: true, force: true })
    })
    return startEmbedded(options)
  }
}

/** Starts the process that stops the server when nobody uses it, unless it runs. One that starts beside another ends at once. */
async function ensureCaretaker(): Promise<void> {
  const folder = await openFolder(testServerFolder())
  const free = testTryLock(caretakerLockOf(folder))
  if (free === undefined) return
  free[Symbol.dispose]()
  // The same ending as this file: .ts from source, .js where published.
  const program = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './caretaker.ts' : './caretaker.js', import.meta.url))
  const child = spawn(process.execPath, ['--no-warnings', program, folder], { detached: true, stdio: 'ignore', cwd: '/' })
  child.on('error', () => {})
  child.unref()
}

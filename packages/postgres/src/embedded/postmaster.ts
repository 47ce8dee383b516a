import { readFile, readlink, realpath, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { errorCode } from '@ascribe/kit'
import { EmbeddedFailedError } from '../errors.ts'
import { runCommand } from './command.ts'

/** How often a process is looked at while somebody waits for its end. */
const POLL_MS = 5
/** A fast shutdown writes a checkpoint; more than this and the server is told to stop without one, which costs the next start a recovery. */
const STOP_FAST_MS = 30_000
const STOP_IMMEDIATE_MS = 10_000

/**
 * What a process id, found in `postmaster.pid`, stands for. `server`: a server on this folder. `gone`: nothing, or a process that was
 * killed and not reaped. `foreign`: the number belongs to another program by now.
 */
export type ProcessState = 'server' | 'gone' | 'foreign'

/** The process id in the folder's `postmaster.pid`. `unreadable`: the file is there without one (its writer was killed). */
async function readPostmasterPid(cluster: string): Promise<number | 'none' | 'unreadable'> {
  let text: string
  try {
    text = await readFile(join(cluster, 'postmaster.pid'), 'utf8')
  } catch (thrown) {
    if (errorCode(thrown) === 'ENOENT') return 'none'
    throw thrown
  }
  // Negative: a standalone backend, which we never start.
  const pid = Math.abs(Number.parseInt(text, 10))
  return Number.isSafeInteger(pid) && pid > 0 ? pid : 'unreadable'
}

/** True for a process that runs, whoever it is; false also for a zombie, which `kill(pid, 0)` would call alive. */
export async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (thrown) {
    if (errorCode(thrown) === 'ESRCH') return false
  }
  const state = await readState(pid)
  return state !== 'Z' && state !== 'X'
}

/** The kernel's letter for the state of a process; empty when it is gone or cannot be asked. */
async function readState(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    try {
      const line = await readFile(`/proc/${pid}/stat`, 'latin1')
      // The name, in brackets, may hold anything, brackets and spaces too.
      return line.slice(line.lastIndexOf(')') + 2).charAt(0)
    } catch {
      return ''
    }
  }
  return (await runCommand({ file: '/bin/ps', args: ['-o', 'stat=', '-p', String(pid)] })).stdout.trim().charAt(0)
}

/** What `pid` is to the folder `cluster`. When it cannot be told, the answer is `server`: a second one must never be started. */
export async function processState(pid: number, cluster: string): Promise<ProcessState> {
  if (!(await isAlive(pid))) return 'gone'
  const folder = await realpath(cluster)
  if (process.platform === 'linux') {
    try {
      // A server's working directory is its data folder, before it writes postmaster.pid and for ever after.
      return (await readlink(`/proc/${pid}/cwd`)) === folder ? 'server' : 'foreign'
    } catch (thrown) {
      const code = errorCode(thrown)
      if (code === 'ENOENT' || code === 'ESRCH') return 'gone'
      // Root without CAP_SYS_PTRACE, as in a container, may not look at the server of another user.
      return (await mayBeServer(pid, folder)) ? 'server' : 'foreign'
    }
  }
  const shown = (await runCommand({ file: '/bin/ps', args: ['-ww', '-o', 'command=', '-p', String(pid)] })).stdout
  if (shown.trim() === '') return 'gone'
  return shown.includes('postgres') && (shown.includes(folder) || shown.includes(cluster)) ? 'server' : 'foreign'
}

/** By what everybody may see of a process: its owner, who must be the folder's, and its name. */
async function mayBeServer(pid: number, folder: string): Promise<boolean> {
  try {
    const [{ uid }, owner, name] = await Promise.all([stat(`/proc/${pid}`), stat(folder), readFile(`/proc/${pid}/comm`, 'latin1')])
    return uid === owner.uid && name.trim() === 'postgres'
  } catch (thrown) {
    return errorCode(thrown) !== 'ENOENT'
  }
}

/** The server that runs on the folder, if one does. */
export async function findPostmaster(cluster: string): Promise<number | undefined> {
  const pid = await readPostmasterPid(cluster)
  if (typeof pid !== 'number') return undefined
  return (await processState(pid, cluster)) === 'server' ? pid : undefined
}

/**
 * Takes away a `postmaster.pid` that no server stands behind; PostgreSQL itself would believe a zombie, or another program
 * that has the number now, and refuse to start. The caller holds the lock and has made sure that no server answers.
 * Should backends of a killed server still run, the new one finds their shared memory by the folder's inode and refuses: see `startServer`.
 */
export async function removeStalePid(cluster: string): Promise<void> {
  const pid = await readPostmasterPid(cluster)
  if (pid === 'none') return
  if (pid !== 'unreadable' && (await processState(pid, cluster)) === 'server') return
  await rm(join(cluster, 'postmaster.pid'), { force: true })
}

async function waitUntilGone(pid: number, cluster: string, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while ((await processState(pid, cluster)) === 'server') {
    if (performance.now() > deadline) return false
    await delay(POLL_MS)
  }
  return true
}

/** Stops the server: fast (sessions are cut, a checkpoint is written), then immediately. @throws {EmbeddedFailedError} when it stays. */
export async function stopPostmaster(cluster: string): Promise<void> {
  const pid = await findPostmaster(cluster)
  if (pid === undefined) return
  for (const [signal, timeoutMs] of [['SIGINT', STOP_FAST_MS] as const, ['SIGQUIT', STOP_IMMEDIATE_MS] as const]) {
    try {
      process.kill(pid, signal)
    } catch (thrown) {
      if (errorCode(thrown) === 'ESRCH') return
      throw new EmbeddedFailedError(`Cannot stop the embedded database: process ${pid} cannot be signalled`, { cause: thrown })
    }
    if (await waitUntilGone(pid, cluster, timeoutMs)) return
  }
  throw new EmbeddedFailedError(`Cannot stop the embedded database: process ${pid} does not end`)
}

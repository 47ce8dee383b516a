import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { relative } from 'node:path'
import type { Changes } from './changes.ts'

export type SuperviseOptions = {
  /** The program and its arguments. */
  readonly command: readonly [string, ...string[]]
  readonly cwd: string
  readonly changes: Changes
  /** Stops the program, as Ctrl-C does, and ends the supervision. */
  readonly stop: AbortSignal
  /** A second Ctrl-C, passed on: what is still open is cut. */
  readonly cut: AbortSignal
  readonly say: (line: string) => void
}

/** Above the 30 s that a process of ours may take to settle what is open. */
const GRACE_MS = 35_000

/**
 * Keeps a program running on its newest sources: starts it, restarts it on a change, and after a failure waits for the change that
 * mends it. Resolves when it was stopped and the program is gone.
 */
export async function supervise(options: SuperviseOptions): Promise<void> {
  const { changes, stop, say, cwd } = options
  const stopped = aborted(stop)
  // One wait for a change at a time, carried over from run to run: a change while the program stops is not lost.
  let change = changes.next()
  while (!stop.aborted) {
    const child = start(options)
    const gone = exitOf(child)
    const first = await Promise.race([gone, change.then(() => 'changed' as const), stopped])
    if (first !== 'changed' && first !== 'stopped') say(`ended with ${first}; waiting for a change`)
    const path = first === 'stopped' ? undefined : await Promise.race([change, stopped.then(() => undefined)])
    if (path !== undefined) {
      say(`${relative(cwd, path)} changed; restarting`)
      change = changes.next()
    }
    await end(child, gone, path === undefined ? 'SIGINT' : 'SIGTERM')
  }
}

/** In a process group of its own, so that Ctrl-C reaches it once, from here, and not also from the terminal. */
function start({ command, cwd, cut }: SuperviseOptions): ChildProcess {
  const [program, ...args] = command
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'], detached: true })
  const passOn = (): void => void child.kill('SIGINT')
  cut.addEventListener('abort', passOn, { once: true })
  child.once('exit', () => cut.removeEventListener('abort', passOn))
  return child
}

async function end(child: ChildProcess, gone: Promise<string>, signal: NodeJS.Signals): Promise<void> {
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
  await gone
  clearTimeout(timer)
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (cause) => resolve(`"${cause.message}"`))
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
}

function aborted(signal: AbortSignal): Promise<'stopped'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('stopped')
    signal.addEventListener('abort', () => resolve('stopped'), { once: true })
  })
}

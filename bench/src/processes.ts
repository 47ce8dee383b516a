import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

/** The core that a process is pinned to. With one core only, nothing is pinned and the numbers mean little. */
export type Core = 'peer' | 'contestant' | 'any'

const STOP_MS = 15_000
const OUTPUT_KEPT = 4_000

export type Started = AsyncDisposable & {
  readonly pid: number
  readonly process: ChildProcess
  /** What it has said on stderr, the last few kilobytes of it. */
  readonly complaints: () => string
}

export type StartOptions = {
  readonly core: Core
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  readonly stdin?: 'pipe' | 'ignore'
}

/** Starts a program of ours or a peer's, pinned; disposing it asks it to stop and waits until it has. */
export function start(command: readonly string[], options: StartOptions): Started {
  const pinned = options.core === 'any' || availableParallelism() < 2 ? [] : ['taskset', '-c', options.core === 'peer' ? '0' : '1']
  // Whatever becomes of us, nobody is left behind.
  const [program, ...rest] = ['setpriv', '--pdeathsig', 'TERM', ...pinned, ...command] as const
  const child = spawn(program, rest, {
    stdio: [options.stdin ?? 'ignore', 'pipe', 'pipe'],
    env: options.env ?? process.env,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  })
  let said = ''
  child.stderr?.on('data', (bytes: Buffer) => {
    said = (said + bytes.toString()).slice(-OUTPUT_KEPT)
  })
  child.on('error', (error) => {
    said += error.message
  })
  return {
    pid: child.pid ?? 0,
    process: child,
    complaints: () => said.trim(),
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      await gone
      clearTimeout(timer)
    },
  }
}

/** Reads the lines that a process prints, one at a time. */
export class Lines {
  readonly #lines: AsyncIterator<string>
  readonly #started: Started

  constructor(started: Started) {
    this.#started = started
    this.#lines = createInterface({ input: started.process.stdout as Readable })[Symbol.asyncIterator]()
  }

  /** The next line, as JSON. Throws with what the process complained about when it has ended instead. */
  async next<T>(): Promise<T> {
    const line = await this.#lines.next()
    if (line.done === true)
      throw new Error(`Cannot go on: ${this.#started.process.spawnargs.at(-1)} has ended. ${this.#started.complaints()}`)
    return JSON.parse(line.value) as T
  }
}

/** A process and all that it has started, whoever they are by now. */
export function processTree(root: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = readProc(`/proc/${name}/stat`)
    // The name in parentheses may hold anything: what counts comes after the last one.
    const parent = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]
    if (parent !== undefined) parents.set(Number(name), Number(parent))
  }
  const tree = [root]
  for (let index = 0; index < tree.length; index += 1) for (const [pid, parent] of parents) if (parent === tree[index]) tree.push(pid)
  return tree
}

/** Resident memory now and at its highest, in MiB. */
export function memoryOf(pid: number): { readonly now: number; readonly peak: number } {
  const status = readProc(`/proc/${pid}/status`)
  const mib = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN) / 1024
  return { now: mib('VmRSS'), peak: mib('VmHWM') }
}

function readProc(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

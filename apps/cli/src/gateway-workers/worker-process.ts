import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Beginning, FromWorker, Question, ToWorker } from './messages.ts'

const PROGRAM = fileURLToPath(new URL('../main.ts', import.meta.url))
/** A worker whose event loop does not turn is asked in vain. */
const ANSWER_MS = 1_500
/** After its grace a worker cuts, settles and ends; one that has not ended so long after that never will. */
const KILL_MS = 15_000

export type WorkerStart = {
  /** The command line after the program's name. */
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** Descriptors of this process that the worker inherits, from its own fourth on. */
  readonly fds: readonly number[]
  readonly beginning: Beginning
}

/** How a worker ended. */
export type Ending = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

/** One worker, as the process that started it sees it. */
export class WorkerProcess {
  readonly startedAt: number = performance.now()
  /** Resolves with its URL when it serves; never, if it ends before. */
  readonly ready: Promise<string>
  readonly ended: Promise<Ending>
  readonly pid: number | undefined
  isReady = false
  readonly #child: ChildProcess
  readonly #asked = new Map<number, (value: unknown) => void>()
  #nextId = 1
  #killer: NodeJS.Timeout | undefined

  constructor({ args, env, fds, beginning }: WorkerStart) {
    const child = spawn(process.execPath, [...process.execArgv, PROGRAM, ...args], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc', ...fds],
      env,
    })
    this.#child = child
    this.pid = child.pid
    const ready = Promise.withResolvers<string>()
    this.ready = ready.promise
    child.on('message', (message: FromWorker) => {
      if (message.kind === 'ready') {
        this.isReady = true
        ready.resolve(message.url)
      } else this.#asked.get(message.id)?.(message.value)
    })
    // Of sending to one that has ended; 'exit' comes anyhow.
    child.on('error', () => {})
    this.ended = once(child, 'exit').then((ending) => {
      clearTimeout(this.#killer)
      const [code, signal] = ending as [number | null, NodeJS.Signals | null]
      return { code, signal }
    })
    this.tell({ kind: 'begin', with: beginning })
  }

  tell(message: ToWorker): void {
    if (this.#child.connected) this.#child.send(message, () => {})
  }

  /** `undefined`: no answer in time. */
  async ask(what: Question): Promise<unknown> {
    const id = this.#nextId
    this.#nextId += 1
    const answer = Promise.withResolvers<unknown>()
    const patience = setTimeout(() => answer.resolve(undefined), ANSWER_MS)
    this.#asked.set(id, answer.resolve)
    this.tell({ kind: 'ask', id, what })
    try {
      return await Promise.race([answer.promise, this.ended.then(() => undefined)])
    } finally {
      clearTimeout(patience)
      this.#asked.delete(id)
    }
  }

  /** Lets open requests end for so long, then cuts them; one that hangs is killed. */
  stop(graceMs: number): void {
    this.tell({ kind: 'stop', graceMs })
    this.#killAfter(graceMs + KILL_MS)
  }

  cut(): void {
    this.tell({ kind: 'cut' })
    this.#killAfter(KILL_MS)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #killAfter(ms: number): void {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    clearTimeout(this.#killer)
    this.#killer = setTimeout(() => this.kill(), ms)
  }
}

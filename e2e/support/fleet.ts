import { start } from './process.ts'
import type { RunOptions, Running } from './process.ts'

/** A process that can be killed at any instant and is started again at once. */
export type Revenant = AsyncDisposable & {
  /** What it printed when it was ready last, or `undefined` while it is on its way up. @throws when it does not come up at all */
  readonly ready: Record<string, string> | undefined
  /** Of the process that runs, or ran last. */
  readonly pid: number
  /** `kill -9`, and a new start in the background. False: it is on its way up, and is let be. */
  kill(): boolean
  /** Stops it for good, and gives the exit code. */
  stop(): Promise<number | null>
}

/** A database that is killed while a process starts makes that start fail, and the next one may meet the same. */
const ATTEMPTS_MAX = 60
/** A start that has said nothing for so long is given up. */
const PATIENCE_MS = 30_000

/** Keeps `ascribe ...args --json` running, however it ends, until it is stopped. */
export async function revenant(args: readonly string[], options: RunOptions = {}): Promise<Revenant> {
  let running: Running
  let ready: Record<string, string> | undefined
  let stopping = false
  let fault: Error | undefined

  /** Starts it, and again if that failed: whoever keeps processes running does the same. Gives up after many tries. */
  async function rise(): Promise<void> {
    ready = undefined
    let stderr = ''
    for (let attempt = 0; attempt < ATTEMPTS_MAX && !stopping; attempt += 1) {
      running = start([...args, '--json'], options)
      const mine = running
      const patience = setTimeout(() => mine.kill('SIGKILL'), PATIENCE_MS)
      const line = await mine.firstLine
      clearTimeout(patience)
      if (line !== undefined) {
        ready = JSON.parse(line) as Record<string, string>
        return
      }
      await mine.exited
      stderr = mine.stderr()
    }
    if (!stopping) fault = new Error(`${args[0]} did not come up in ${ATTEMPTS_MAX} attempts:\n${stderr}`)
    if (fault !== undefined) throw fault
  }

  await rise()
  let rising: Promise<void> = Promise.resolve()
  const revenantOf: Revenant = {
    get ready() {
      if (fault !== undefined) throw fault
      return ready
    },
    get pid() {
      return running.pid
    },
    kill() {
      if (ready === undefined) return false
      ready = undefined
      const victim = running
      victim.kill('SIGKILL')
      rising = victim.exited.then(rise)
      rising.catch(() => {})
      return true
    },
    async stop() {
      stopping = true
      await rising
      running.kill('SIGTERM')
      return (await running.ended).code
    },
    async [Symbol.asyncDispose]() {
      if (!stopping) await revenantOf.stop()
    },
  }
  return revenantOf
}

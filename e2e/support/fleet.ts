import { start } from './process.ts'
import type { Running } from './process.ts'

/** A process that can be killed at any instant and is started again at once. */
export type Revenant = AsyncDisposable & {
  /** What it printed when it was ready last, or `undefined` while it is on its way up. */
  readonly ready: Record<string, string> | undefined
  /** `kill -9`, and a new start in the background. */
  kill(): void
  /** Stops it for good, and gives the exit code. */
  stop(): Promise<number | null>
  /** How often it was started. */
  readonly starts: number
}

/** Keeps `ascribe ...args --json` running, however it ends, until it is stopped. */
export async function revenant(args: readonly string[]): Promise<Revenant> {
  let running: Running
  let ready: Record<string, string> | undefined
  let starts = 0
  let stopping = false

  async function rise(): Promise<void> {
    ready = undefined
    starts += 1
    const mine = start([...args, '--json'])
    running = mine
    const first = await mine.lines.next()
    if (first.done === true) {
      const { stderr } = await mine.ended
      if (!stopping) throw new Error(`${args[0]} did not come up:\n${stderr}`)
      return
    }
    ready = JSON.parse(first.value) as Record<string, string>
  }

  await rise()
  let rising: Promise<void> = Promise.resolve()
  const revenantOf: Revenant = {
    get ready() {
      return ready
    },
    get starts() {
      return starts
    },
    kill() {
      if (ready === undefined) return
      ready = undefined
      const victim = running
      victim.kill('SIGKILL')
      rising = victim.ended.then(rise)
      rising.catch(() => {})
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

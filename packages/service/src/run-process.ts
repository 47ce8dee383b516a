import type { Logger } from '@ascribe/kit'

/** What a process is given to live by. */
export type ProcessScope = {
  /** Aborts when the process should stop: take no more work, finish what is open. */
  readonly signal: AbortSignal
  /** Aborts when it must stop at once: a second signal, or the grace is over. What is open is cut, and still recorded. */
  readonly cut: AbortSignal
  /** Asks for the same stop from inside. With an error it is logged and the exit code is 1. */
  readonly stop: (error?: unknown) => void
  /** From now on SIGHUP asks for this, and no longer for a stop. */
  readonly onReload: (reload: () => void) => void
}

export type RunOptions = {
  readonly name: string
  readonly logger: Logger
  /** Brings everything up; what it gives is disposed when the process should stop. Its failure is the caller's to print. */
  readonly start: (scope: ProcessScope) => Promise<AsyncDisposable>
  /** From the wish to stop to the cut, milliseconds. Default 25 000, so that a platform's usual 30 s suffice for all. */
  readonly graceMs?: number
  /**
   * A second signal within so many milliseconds of the first is the same wish. Default 500: npm hands on a Ctrl-C that
   * the terminal has already sent to the whole process group, so that one key press arrives twice.
   */
  readonly sameWishMs?: number
  /** How long the loop may go on turning after everything was released before that is logged and ended by SIGTERM. Default 10 000. */
  readonly lingerMs?: number
  /** True: signals are nothing to it. Somebody else, who gets them too, says when it stops. Default false. */
  readonly isDeaf?: boolean
}

const GRACE_MS = 25_000
const SAME_WISH_MS = 500
const LINGER_MS = 10_000
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Runs a process from start to its last release and gives the exit code for `process.exitCode`; nobody calls
 * `process.exit()`. The first SIGINT, SIGTERM or SIGHUP (unless that means to reload) drains, the second cuts, the third is the system's own. What
 * nobody caught is logged and ends the process with 1, after releasing everything.
 */
export async function runProcess(options: RunOptions): Promise<number> {
  const { name, logger } = options
  using life = new Life(options)
  let running: AsyncDisposable
  try {
    running = await options.start(life.scope)
  } catch (error) {
    if (!life.isStopping) throw error
    // Starting is often cut short by the very wish to stop; that is no failure.
    logger.debug('start was cut short', { error })
    return life.exitCode
  }
  logger.debug('process started', { name })
  await life.stopped
  try {
    await running[Symbol.asyncDispose]()
  } catch (error) {
    life.fail('process did not stop cleanly', error)
  }
  logger.info('process stopped', { exitCode: life.exitCode })
  endWhatLingers(logger, options.lingerMs ?? LINGER_MS)
  return life.exitCode
}

class Life implements Disposable {
  exitCode = 0
  isStopping = false
  readonly stopped: Promise<void>
  readonly scope: ProcessScope
  readonly #options: RunOptions
  readonly #drain = new AbortController()
  readonly #cut = new AbortController()
  readonly #resolve: () => void
  #firstSignalAt = 0
  #reload: (() => void) | undefined
  #grace: NodeJS.Timeout | undefined

  constructor(options: RunOptions) {
    this.#options = options
    const { promise, resolve } = Promise.withResolvers<void>()
    this.stopped = promise
    this.#resolve = resolve
    this.scope = {
      signal: this.#drain.signal,
      cut: this.#cut.signal,
      stop: (error) => {
        if (error !== undefined) this.fail('process failed', error)
        this.#stop()
      },
      onReload: (reload) => {
        this.#reload = reload
      },
    }
    for (const signal of SIGNALS) process.on(signal, this.#onSignal)
    process.on('uncaughtException', this.#onUncaught)
    process.on('unhandledRejection', this.#onUncaught)
  }

  fail(message: string, error: unknown): void {
    this.exitCode = 1
    this.#options.logger.error(message, { error })
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#grace)
    this.#leaveSignals()
    process.off('uncaughtException', this.#onUncaught)
    process.off('unhandledRejection', this.#onUncaught)
  }

  readonly #onUncaught = (error: unknown): void => {
    this.fail('process met an error that nobody caught', error)
    this.#stop()
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (this.#options.isDeaf === true) return
    if (signal === 'SIGHUP' && this.#reload !== undefined) {
      this.#options.logger.info('process reads again what may have changed', { signal })
      return this.#reload()
    }
    const now = performance.now()
    if (!this.isStopping) {
      this.#firstSignalAt = now
      this.#options.logger.info('process stops: finishing what is open, once more cuts it', { signal })
      return this.#stop()
    }
    if (now - this.#firstSignalAt < (this.#options.sameWishMs ?? SAME_WISH_MS)) return
    this.#options.logger.warn('process cuts what is open', { signal })
    // From here on the system's own handling is back: a third signal ends even a process that hangs.
    this.#leaveSignals()
    this.#cut.abort()
  }

  #stop(): void {
    if (this.isStopping) return
    this.isStopping = true
    const graceMs = this.#options.graceMs ?? GRACE_MS
    this.#grace = setTimeout(() => {
      this.#options.logger.warn('process cuts what is open: its grace is over', { graceMs })
      this.#cut.abort()
    }, graceMs)
    this.#drain.abort()
    this.#resolve()
  }

  #leaveSignals(): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal)
  }
}

/**
 * The loop should be empty now. If it still turns after a while, something was not released: a bug, which is named, and
 * then ended by a signal. Everything durable is released by then, so nothing can be lost; a timer that somebody forgot
 * cannot be found and let go of from outside.
 */
function endWhatLingers(logger: Logger, lingerMs: number): void {
  const watchdog = setTimeout(() => {
    logger.error('process lingers: something was not released', { resources: process.getActiveResourcesInfo() })
    process.kill(process.pid, 'SIGTERM')
  }, lingerMs)
  // It fires only if something else keeps the loop turning.
  watchdog.unref()
}

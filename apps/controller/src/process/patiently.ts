import type { Logger } from '@ascribe/kit'
import { CacheSyncError, KubeError, waitFor } from '@ascribe/kube'
import type { Clocks } from '@ascribe/kube'
import type { ReadyReport } from '@ascribe/service'

/** How a start waits for an API server that is in trouble. */
export type Patience = {
  readonly clocks: Clocks
  readonly logger: Logger
  readonly signal: AbortSignal
  /** Says meanwhile why the process is not ready. */
  readonly report: { now: () => ReadyReport }
}

const FIRST_MS = 500
const LAST_MS = 30_000

/**
 * Runs one step of a start, again and again while the API server is there and in trouble: a 5xx, too many requests, a first list that does not
 * come. An installation that is rolled out, or a server that was started a moment ago, must not end the process. What somebody has to
 * mend, and a server that nobody answers for, ends it with the way out.
 */
export async function patiently<T>(step: string, run: () => Promise<T>, { clocks, logger, signal, report }: Patience): Promise<T> {
  const before = report.now
  for (let pauseMs = FIRST_MS; ; pauseMs = Math.min(2 * pauseMs, LAST_MS)) {
    try {
      const done = await run()
      report.now = before
      return done
    } catch (error) {
      if (!isTrouble(error)) throw error
      const waitMs = Math.max(pauseMs, error instanceof KubeError ? (error.retryAfterMs ?? 0) : 0)
      report.now = () => ({ cluster: { ok: false, detail: `${step}: the API server is in trouble, trying again` } })
      logger.warn('the API server is in trouble, trying again', { step, waitMs, error })
      await waitFor(clocks, waitMs, signal)
    }
  }
}

function isTrouble(error: unknown): boolean {
  if (error instanceof CacheSyncError) return true
  return error instanceof KubeError && error.status !== undefined && (error.status >= 500 || error.status === 429)
}

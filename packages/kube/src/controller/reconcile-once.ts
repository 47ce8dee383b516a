import { AscribeError, AssertionError, toAscribeError } from '@ascribe/kit'
import { startDeadline } from '../connection/deadline.ts'
import { KubeError, TerminalError } from '../errors.ts'
import { parseKey } from '../objects.ts'
import type { Taken } from '../queue/work-queue.ts'
import type { Shared } from './controller.ts'
import type { Result } from './types.ts'

/** A reconciler that asks to be called at once, for ever, is mistaken; a zero or less must not mean never either. */
const REQUEUE_MS_MIN = 1

/** One run of a reconciler, and what follows from how it ended: controller-runtime's contract. */
export async function reconcileOnce(
  shared: Shared,
  { taken, reconcileId }: { readonly taken: Taken; readonly reconcileId: string },
): Promise<void> {
  const { clocks, queue, meters, backoff, giveUp } = shared
  const { key, priority } = taken
  const logger = shared.logger.child({ object: key, reconcileID: reconcileId })
  const measured = meters.begin(taken.waitedMs)
  const flags = { isTerminal: false, isPanic: false, isTimeout: false }
  using deadline = startDeadline(clocks, shared.timeoutMs, giveUp.signal)
  const isLate = (): boolean => deadline.signal.aborted && !giveUp.signal.aborted

  try {
    const result = await shared.reconcile(parseKey(key), { signal: deadline.signal, logger, reconcileId })
    const outcome = outcomeOf(result)
    measured.end(outcome, { ...flags, isTimeout: isLate() })
    if (outcome === 'requeue') {
      meters.retried()
      queue.add(key, { priority, afterMs: backoff.next(key) })
      return
    }
    backoff.forget(key)
    if (result.requeueAfterMs !== undefined) queue.add(key, { priority, afterMs: Math.max(REQUEUE_MS_MIN, result.requeueAfterMs) })
  } catch (thrown) {
    const isTerminal = thrown instanceof TerminalError
    measured.end('error', { isTerminal, isPanic: isBug(thrown), isTimeout: isLate() })
    const error = toAscribeError(thrown)
    if (isTerminal) {
      backoff.forget(key)
      logger.warn('reconcile failed for good', { error })
      return
    }
    const pauseMs = Math.max(backoff.next(key), thrown instanceof KubeError ? (thrown.retryAfterMs ?? 0) : 0)
    meters.retried()
    queue.add(key, { priority, afterMs: pauseMs })
    // Two writers met, or the process is going: nothing that anybody should look at.
    const isOrdinary = (thrown instanceof KubeError && thrown.reason === 'Conflict') || giveUp.signal.aborted
    const fields = { error, retryInMs: Math.round(pauseMs), failures: backoff.failures(key) }
    if (isOrdinary) logger.debug('reconcile is tried again', fields)
    else logger.warn('reconcile failed', fields)
  }
}

function outcomeOf(result: Result): 'success' | 'requeue' | 'requeue_after' {
  if (result.requeueAfterMs !== undefined) {
    // NaN passes every comparison, and would come back at once or never.
    if (Number.isNaN(result.requeueAfterMs)) throw new AssertionError('requeueAfterMs is no number')
    return 'requeue_after'
  }
  return result.requeue === true ? 'requeue' : 'success'
}

function isBug(thrown: unknown): boolean {
  return (
    !(thrown instanceof AscribeError) &&
    (thrown instanceof AssertionError || thrown instanceof TypeError || thrown instanceof RangeError || thrown instanceof ReferenceError)
  )
}

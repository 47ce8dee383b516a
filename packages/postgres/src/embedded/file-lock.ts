import { setTimeout as delay } from 'node:timers/promises'
import type { TryLock } from '@ascribe/kit'
import { EmbeddedFailedError } from '../errors.ts'

const POLL_MS = 10

/** Runs `work` while holding the lock at `path`; waits for it at most `timeoutMs`. @throws {EmbeddedFailedError} */
export async function withFileLock<Result>(
  options: { readonly tryLock: TryLock; readonly path: string; readonly timeoutMs: number },
  work: () => Promise<Result>,
): Promise<Result> {
  const { tryLock, path, timeoutMs } = options
  const deadline = performance.now() + timeoutMs
  for (;;) {
    using lock = tryLock(path)
    if (lock !== undefined) return await work()
    if (performance.now() > deadline) {
      throw new EmbeddedFailedError(`Cannot start or stop the embedded database: another process has held ${path} for ${timeoutMs} ms`)
    }
    await delay(POLL_MS)
  }
}

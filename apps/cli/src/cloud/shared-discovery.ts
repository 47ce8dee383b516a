import type { ClusterBackend } from '@ascribe/api'
import { MintThrottledError, systemTokenClock } from '@ascribe/impersonation'
import type { DiscoverRequest, TokenClock, TokenSource } from '@ascribe/impersonation'

type Wanted = Parameters<ClusterBackend['discover']>[0]
type Found = ReturnType<ClusterBackend['discover']>

/** A question about one address that has not been sent: whoever comes with the same one meanwhile asks along. */
type Question = { readonly objects: string[]; readonly answer: Found }

/** In one line of the trail; those beyond are counted in it. */
const OBJECTS_MAX = 10
/** Discoveries of one address are rationed to one a second: more than a few turns nobody waits at a web page. */
const WAIT_MS_MAX = 8_000
const PAUSE_MS_MIN = 10

/**
 * Discoveries for the API: tokens of one address are rationed, and a burst of requests must not fail for that. Those who ask the same
 * while it has not been sent share one question; it waits for its turn, 8 s at the most. What was answered is not kept: whoever comes
 * after the question has gone out has it asked again.
 */
export function shareDiscoveries(source: Pick<TokenSource, 'discover'>, clock: TokenClock = systemTokenClock): ClusterBackend['discover'] {
  const open = new Map<string, Question>()
  return async ({ email, region, requester, object }) => {
    const key = JSON.stringify([email, region, requester])
    const asked = open.get(key)
    if (asked !== undefined) {
      asked.objects.push(object)
      return asked.answer
    }
    const objects = [object]
    const question: Question = {
      objects,
      answer: Promise.resolve().then(() =>
        inTurn(
          (): Found => {
            open.delete(key)
            return discover(source, { email, region, requester, object: sayAll(objects) })
          },
          { clock, onWait: () => void open.set(key, question) },
        ),
      ),
    }
    open.set(key, question)
    return question.answer.finally(() => open.get(key) === question && open.delete(key))
  }
}

async function discover(source: Pick<TokenSource, 'discover'>, { email, region, requester, object }: Wanted): Found {
  const request: DiscoverRequest = { ownerEmail: email, region, actor: { program: 'ascribe api', object, requester } }
  const { ownerUuid } = await source.discover(request)
  return { userUUID: ownerUuid }
}

/** Again when our own limits say to come back, until it would take too long. @throws {MintThrottledError} then */
async function inTurn(ask: () => Found, { clock, onWait }: { readonly clock: TokenClock; readonly onWait: () => void }): Found {
  const until = clock.monotonicMs() + WAIT_MS_MAX
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      const pauseMs = error instanceof MintThrottledError ? Math.max(PAUSE_MS_MIN, error.retryAfterMs ?? 0) : Infinity
      if (clock.monotonicMs() + pauseMs > until) throw error
      onWait()
      const { promise, resolve } = Promise.withResolvers<void>()
      clock.schedule(pauseMs, resolve)
      await promise
    }
  }
}

function sayAll(objects: readonly string[]): string {
  const names = [...new Set(objects)]
  const more = names.length > OBJECTS_MAX ? ` and ${names.length - OBJECTS_MAX} more` : ''
  return `${names.slice(0, OBJECTS_MAX).join(', ')}${more}`
}

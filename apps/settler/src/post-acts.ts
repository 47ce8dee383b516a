import { AssertionError } from '@ascribe/kit'
import type { Logger } from '@ascribe/kit'
import { postActs } from '@ascribe/ledger'
import type { Trail } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'

/** Acts that wait for their lines are looked for this often: some have just come, and the owners of others may be somebody's by now. */
const POST_MS = 1000

export type ActPosterDeps = { readonly db: Database; readonly trail?: Pick<Trail, 'appendIn'>; readonly logger: Logger }

/** Writes what controllers did into the logs of the owners, when it is due; `isDue`: now. What fails is tried again, and holds up nothing. */
export function createActPoster({ db, trail, logger }: ActPosterDeps): (isDue: boolean) => Promise<void> {
  let postedAt = -Infinity
  let hasFailed = false
  return async (isDue) => {
    if (trail === undefined || (!isDue && performance.now() - postedAt < POST_MS)) return
    postedAt = performance.now()
    try {
      await postActs(db, trail)
      hasFailed = false
    } catch (error) {
      if (error instanceof AssertionError) throw error
      // They wait in the ledger; what was used is charged all the same.
      if (!hasFailed) logger.error('acts of controllers are not in the logs of their owners yet', { error })
      hasFailed = true
    }
  }
}

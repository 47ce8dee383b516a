import type { Database, Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'
import { lockDirectory, lockRating } from '../locks.ts'
import { isCircle } from '../organizations.ts'
import { bumpPolicy } from '../policy.ts'
import type { DirectoryDocument, DocumentProblem } from './document.ts'
import { endMissing, findMissing, noteDelivered } from './sync-missing.ts'
import { checkReferences } from './sync-references.ts'
import { syncGroups, syncKeys, syncMappings, syncOrganizations, syncResources, syncUsers } from './sync-sections.ts'
import type { SyncChange, SyncWork } from './sync-sections.ts'
import { directoryNow } from './timeline.ts'

export type SyncOptions = {
  /** Tells what one source delivers from what others do, for `deleteMissing`. Absent: nobody's, as what a person types. */
  readonly source?: string
  /** End what this source delivered before and does not any more, in the sections that it has. Default false: nothing ends by being absent. */
  readonly deleteMissing?: boolean
  /** End also more than half of what the source delivered. Default false. */
  readonly force?: boolean
  /** Say what would be done, and do nothing. Default false. */
  readonly dryRun?: boolean
  readonly recordedBy?: string
}

export type SyncOutcome =
  | {
      /** `planned`: it was a dry run. */
      readonly kind: 'synced' | 'planned'
      /** Empty: everything was so already. */
      readonly changes: readonly SyncChange[]
      /** Hours of usage that will be rated again. */
      readonly hours: number
    }
  /** Nothing was changed: the document contradicts itself or the ledger. */
  | { readonly kind: 'refused'; readonly problems: readonly DocumentProblem[] }
  /** Nothing was changed: so much is missing that the source itself is probably not whole. */
  | { readonly kind: 'too_many_missing'; readonly missing: number; readonly known: number }

/**
 * Brings the directory to what a source says: all of it in one transaction or nothing, from one instant on. The same document again
 * changes nothing. What the document does not speak of stays as it is.
 */
export async function syncDirectory(db: Database, document: DirectoryDocument, options: SyncOptions): Promise<SyncOutcome> {
  try {
    return await db.transaction(async (tx) => {
      const outcome = await sync(tx, document, options)
      // The plan is what really happens, and then does not.
      if (options.dryRun === true || outcome.kind !== 'synced') throw new RolledBack(outcome)
      return outcome
    })
  } catch (thrown) {
    if (thrown instanceof RolledBack) return thrown.outcome.kind === 'synced' ? { ...thrown.outcome, kind: 'planned' } : thrown.outcome
    if (isCircle(thrown)) return { kind: 'refused', problems: [CIRCLE] }
    throw thrown
  }
}

/** Leaves a transaction without a commit. */
class RolledBack extends Error {
  readonly outcome: SyncOutcome

  constructor(outcome: SyncOutcome) {
    super('rolled back')
    this.outcome = outcome
  }
}

const CIRCLE: DocumentProblem = {
  place: { section: 'organizations' },
  message: 'an organization would stand under itself',
  hint: 'follow the parents from each organization upwards, those of the ledger too: `ascribe orgs list`',
}

async function sync(tx: Queryable, document: DirectoryDocument, options: SyncOptions): Promise<SyncOutcome> {
  const { source, deleteMissing = false, force = false, recordedBy } = options
  if (document.mappings !== undefined || document.keys !== undefined) await lockRating(tx)
  await lockDirectory(tx)
  const problems = await checkReferences(tx, document)
  if (problems.length > 0) return { kind: 'refused', problems }
  const at: Instant = await directoryNow(tx)
  const work: SyncWork = { tx, document, at, recordedBy }
  const changes = [
    ...(await syncOrganizations(work)),
    ...(await syncGroups(work)),
    ...(await syncUsers(work)),
    ...(await syncResources(work)),
  ]
  const keys = await syncKeys(work)
  const mapped = await syncMappings(work, keys)
  changes.push(...keys, ...mapped.changes)
  let [hours, dueAt] = [mapped.hours, mapped.dueAt]
  if (deleteMissing && source !== undefined) {
    const found = await findMissing(tx, document, source)
    if (!force && found.missing.length * 2 > found.known)
      return { kind: 'too_many_missing', missing: found.missing.length, known: found.known }
    const ended = await endMissing(work, found.missing, source)
    changes.push(...ended.changes)
    hours += ended.hours
    dueAt = [...dueAt, ...ended.dueAt]
  }
  if (source !== undefined) await noteDelivered(tx, document, source)
  const mappedIds = changes.filter(({ kind }) => kind === 'mapping' || kind === 'key').map(({ id }) => id[0] ?? '')
  const isWide = changes.some(({ kind }) => kind === 'organization')
  if (isWide || mappedIds.length > 0) await bumpPolicy(tx, { keys: isWide ? 'all' : mappedIds, dueAt })
  return { kind: 'synced', changes, hours }
}

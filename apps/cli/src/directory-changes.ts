import { InputError } from '@ascribe/kit'
import { checkDocument, syncDirectory } from '@ascribe/ledger'
import type { SyncChange, SyncOutcome } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import type { Output } from './output.ts'

/** Checks and makes what a person typed, as an entry of a directory source. @throws {InputError} */
export async function saveEntry(
  db: Database,
  entry: { readonly section: 'users' | 'groups' | 'resources'; readonly fields: object; readonly recordedBy: string },
): Promise<readonly SyncChange[]> {
  const { document, problems } = checkDocument({ [entry.section]: [entry.fields] })
  const [problem] = problems
  if (problem !== undefined) throw new InputError(`Cannot save it: ${problem.message}`, { hint: problem.hint })
  const outcome: SyncOutcome = await syncDirectory(db, document, { recordedBy: entry.recordedBy })
  if (outcome.kind === 'refused') {
    const [refused] = outcome.problems
    throw new InputError(`Cannot save it: ${refused?.message}`, { ...(refused !== undefined && { hint: refused.hint }) })
  }
  return outcome.kind === 'synced' ? outcome.changes : []
}

/** What a person reads through. */
const LINES_MAX = 200

const WORDS = { create: 'new', update: 'changed', end: 'ended' } as const

export function changeJson({ kind, change, id }: SyncChange): object {
  return { kind, change, id: id.length === 1 ? id[0] : id }
}

/** Says what a change did, one line each. */
export function printChanges(out: Output, changes: readonly SyncChange[]): void {
  if (changes.length === 0) out.line('nothing to change: it is so already')
  for (const { kind, change, id } of changes.slice(0, LINES_MAX)) out.line(`${WORDS[change]} ${kind.replace('_', ' ')} ${id.join(' in ')}`)
  if (changes.length > LINES_MAX) out.line(`… and ${changes.length - LINES_MAX} more; --json names all of them`)
}

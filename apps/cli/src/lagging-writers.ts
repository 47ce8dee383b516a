import { inspectJournal } from '@ascribe/journal'
import { readPosition } from '@ascribe/ledger'
import type { WriterPosition } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import type { Context } from './context.ts'

/** The writers of this data directory whose journals hold entries of before an instant that are not in the ledger. */
export async function laggingWriters({ dir }: Pick<Context, 'dir'>, db: Database, before: number): Promise<readonly string[]> {
  const positions = new Map<string, WriterPosition | undefined>()
  const lagging = new Set<string>()
  for await (const { writer, segment, end, writtenAt } of inspectJournal(dir.root)) {
    if (writtenAt >= before || lagging.has(writer)) continue
    if (!positions.has(writer)) positions.set(writer, await readPosition(db, writer))
    const position = positions.get(writer)
    const isIn = position !== undefined && (position.segment > segment || (position.segment === segment && position.offset >= end))
    if (!isIn) lagging.add(writer)
  }
  return [...lagging].toSorted()
}

import type { Queryable } from '@ascribe/postgres'

/** A place in a journal: everything before it has been taken in. Segments and bytes within one count from 0 upwards. */
export type WriterPosition = { readonly segment: number; readonly offset: number }

type PositionRow = { readonly segment: bigint; readonly byte_offset: bigint }

/** Where a journal begins. */
const FIRST: WriterPosition = { segment: 1, offset: 0 }

/** How far a writer's journal is in the ledger; `undefined`: nothing of it. Segments before it may be deleted. */
export async function readPosition(db: Queryable, writer: string): Promise<WriterPosition | undefined> {
  return (await readPositions(db, [writer])).get(writer)
}

/** The same for several writers; those of whom nothing is in the ledger are left out. */
export async function readPositions(db: Queryable, writers: readonly string[]): Promise<ReadonlyMap<string, WriterPosition>> {
  const { rows } = await db.query<PositionRow & { writer: string }>(
    'select writer, segment, byte_offset from writer_position where writer = any($1::text[])',
    [writers],
  )
  return new Map(rows.map((row) => [row.writer, positionOf(row)]))
}

function positionOf(row: PositionRow): WriterPosition {
  return { segment: Number(row.segment), offset: Number(row.byte_offset) }
}

function comparePositions(a: WriterPosition, b: WriterPosition): number {
  return a.segment - b.segment || a.offset - b.offset
}

/**
 * Moves a position forward to the end of a batch; one that is further stands. A batch that says where it begins moves it only if
 * everything before has come; else it is noted, and the position moves over it later.
 */
export async function storePosition(
  tx: Queryable,
  writer: string,
  { from, position }: { readonly from?: WriterPosition; readonly position: WriterPosition },
): Promise<void> {
  if (from === undefined) return movePosition(tx, writer, position)
  // Held until the commit: of two that come at once the second sees what the first has noted.
  await movePosition(tx, writer, FIRST)
  const { rows } = await tx.query<PositionRow>('select segment, byte_offset from writer_position where writer = $1::text for update', [
    writer,
  ])
  const [row] = rows
  const reached = row === undefined ? FIRST : positionOf(row)
  if (comparePositions(from, reached) > 0) {
    await tx.query(
      `insert into writer_range (writer, from_segment, from_offset, to_segment, to_offset)
       values ($1::text, $2::bigint, $3::bigint, $4::bigint, $5::bigint) on conflict do nothing`,
      [writer, from.segment, from.offset, position.segment, position.offset],
    )
    return
  }
  const end = comparePositions(position, reached) > 0 ? position : reached
  await movePosition(tx, writer, await overRanges(tx, writer, end))
}

/** How far what has come reaches without a gap, from a position on; forgets the ranges that are behind it. */
async function overRanges(tx: Queryable, writer: string, start: WriterPosition): Promise<WriterPosition> {
  let end = start
  for (;;) {
    const { rows } = await tx.query<PositionRow>(
      `with passed as (
         delete from writer_range where writer = $1::text and (from_segment, from_offset) <= ($2::bigint, $3::bigint)
         returning to_segment, to_offset
       )
       select to_segment as segment, to_offset as byte_offset from passed
       where (to_segment, to_offset) > ($2::bigint, $3::bigint) order by to_segment desc, to_offset desc limit 1`,
      [writer, end.segment, end.offset],
    )
    const [row] = rows
    if (row === undefined) return end
    end = positionOf(row)
  }
}

async function movePosition(tx: Queryable, writer: string, position: WriterPosition): Promise<void> {
  await tx.query(
    `insert into writer_position as p (writer, segment, byte_offset, updated_at) values ($1::text, $2::bigint, $3::bigint, now())
     on conflict (writer) do update set segment = excluded.segment, byte_offset = excluded.byte_offset, updated_at = now()
     where (excluded.segment, excluded.byte_offset) > (p.segment, p.byte_offset)`,
    [writer, position.segment, position.offset],
  )
}

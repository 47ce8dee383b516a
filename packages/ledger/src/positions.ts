import type { Queryable } from '@ascribe/postgres'

/** A place in a journal: everything before it has been taken in. Segments and bytes within one count from 0 upwards. */
export type WriterPosition = { readonly segment: number; readonly offset: number }

type PositionRow = { readonly segment: bigint; readonly byte_offset: bigint }

/** How far a writer's journal is in the ledger; `undefined`: nothing of it. Segments before it may be deleted. */
export async function readPosition(db: Queryable, writer: string): Promise<WriterPosition | undefined> {
  const { rows } = await db.query<PositionRow>('select segment, byte_offset from writer_position where writer = $1::text', [writer])
  const [row] = rows
  return row === undefined ? undefined : { segment: Number(row.segment), offset: Number(row.byte_offset) }
}

/** Moves a position forward; one that is further stands. */
export async function storePosition(tx: Queryable, writer: string, position: WriterPosition): Promise<void> {
  await tx.query(
    `insert into writer_position as p (writer, segment, byte_offset, updated_at) values ($1::text, $2::bigint, $3::bigint, now())
     on conflict (writer) do update set segment = excluded.segment, byte_offset = excluded.byte_offset, updated_at = now()
     where (excluded.segment, excluded.byte_offset) > (p.segment, p.byte_offset)`,
    [writer, position.segment, position.offset],
  )
}

import type { Queryable } from '@ascribe/postgres'
import type { WriterPosition } from './positions.ts'
import { storableText } from './record-check.ts'

/** A delivery that cannot be stored, and why. */
export type Refusal = {
  readonly eventId: string
  readonly payload: string
  readonly reason: string
  readonly sqlstate?: string | null
  /** Whether it is a record, but another one with its event id came first. */
  readonly conflicting: boolean
}

const BYTES = new TextEncoder()

/** Sets deliveries aside. The same payload is kept once, however often it is delivered. */
export async function quarantine(
  tx: Queryable,
  from: { readonly writer: string; readonly position: WriterPosition },
  refusals: readonly Refusal[],
): Promise<void> {
  for (const refusal of refusals) {
    await tx.query(
      `insert into usage_quarantine (event_id, writer, segment, byte_offset, payload, sqlstate, reason)
       values ($1::text, $2::text, $3::bigint, $4::bigint, $5::bytea, $6::text, $7::text)
       on conflict (digest) do nothing`,
      [
        storableText(refusal.eventId),
        from.writer,
        from.position.segment,
        from.position.offset,
        BYTES.encode(refusal.payload),
        refusal.sqlstate ?? null,
        refusal.reason,
      ],
    )
  }
}

import type { Queryable } from '@ascribe/postgres'
import type { Chain, EncodedEntry } from './entry.ts'

/** Where a line stands in its chain. */
export type AuditReceipt = {
  readonly chain: Chain
  readonly sequence: number
  /** Lower-case hex. */
  readonly hash: string
}

/** The key that chains name, and the line that names it. */
export type NamedKey = { readonly keyId: string; readonly keyBody: string }

/**
 * Appends lines to their chains, in one statement: alone it is a transaction, of one round trip. Their texts are joined by line breaks, of
 * which JSON has none: an SQL array would have to be escaped and read, which for fifty lines took as long as hashing them.
 */
export async function appendLines(db: Queryable, lines: readonly EncodedEntry[], key: NamedKey): Promise<readonly AuditReceipt[]> {
  const { rows } = await db.query<{ chain: string; sequence: bigint; hash: Buffer }>(
    'select chain, sequence, hash from append_audit($1::text, $2::text, $3::text, $4::text, $5::text)',
    [
      lines.map(({ chain }) => chain).join('\n'),
      lines.map(({ body }) => body).join('\n'),
      // string_to_array() makes no element of an empty text, so a single line that has nothing personal says so in JSON.
      lines.map(({ personal }) => personal).join('\n') || '{}',
      key.keyId,
      key.keyBody,
    ],
  )
  if (rows.length !== lines.length) throw new Error('the trail did not take every line')
  // They come chain by chain, and those of one chain in the order given.
  const byChain = Map.groupBy(rows, ({ chain }) => chain)
  const taken = new Map<Chain, number>()
  return lines.map(({ chain }) => {
    const at = taken.get(chain) ?? 0
    taken.set(chain, at + 1)
    const row = byChain.get(chain)?.[at]
    if (row === undefined) throw new Error('the trail did not take every line')
    return { chain, sequence: Number(row.sequence), hash: row.hash.toString('hex') }
  })
}

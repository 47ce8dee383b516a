import type { Queryable } from '@ascribe/postgres'
import type { Chain } from './entry.ts'
import type { UnsignedHead } from './keys.ts'

/** The ends of chains; those in which nothing is are left out. */
export async function readHeads(db: Queryable, chains: readonly Chain[]): Promise<readonly UnsignedHead[]> {
  const { rows } = await db.query<{ chain: string; sequence: bigint; hash: Buffer }>(
    'select chain, sequence, hash from audit_head where chain = any($1::text[]) and sequence > 0 order by chain collate "C"',
    [[...chains]],
  )
  return rows.map(({ chain, sequence, hash }) => ({ chain, sequence: Number(sequence), hash: hash.toString('hex') }))
}

/** All chains that have a line, in the order of their names; the installation's comes after those of organizations. */
export async function listChains(db: Queryable): Promise<readonly Chain[]> {
  const { rows } = await db.query<{ chain: string }>('select chain from audit_head where sequence > 0 order by chain collate "C"')
  return rows.map(({ chain }) => chain)
}

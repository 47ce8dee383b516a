import type { Queryable } from '@ascribe/postgres'
import { FIRST_PREVIOUS } from './entry.ts'
import type { Chain } from './entry.ts'
import { listChains, readHeads } from './heads.ts'
import type { AuditSigner, SignedHead } from './keys.ts'
import { canonicalJson } from '../money/canonical-json.ts'
import type { JsonValue } from '../money/canonical-json.ts'
import { bodyOf, personalOf } from './stored-line.ts'
import type { LineBody, LineRow } from './stored-line.ts'
import type { Instant } from '@ascribe/units'

/** A line of an export, one JSON object. `line` has in it what is hashed: its canonical JSON is. */
export type ExportedLine = {
  readonly type: 'line'
  readonly chain: Chain
  readonly sequence: number
  /** The hash of the line before it. */
  readonly previous: string
  readonly hash: string
  /** A text where what is stored is not what was once written: then the bytes as they are. */
  readonly line: LineBody | string
  /** What the commitments in `line.sealed` commit to; what was erased is missing. */
  readonly personal: Readonly<Record<string, { readonly salt: string; readonly value: string }>>
}

/** The last object of a chain. */
export type ExportedHead = SignedHead & { readonly type: 'head' }

export type ExportOptions = {
  /** Default: all. */
  readonly chains?: readonly Chain[]
  readonly signer: AuditSigner
  readonly now: Instant
}

const PAGE = 1000

/**
 * Everything that is in chains now, oldest first, a chain after the other, each followed by its signed head. In pages, so that a trail of any
 * size takes little memory and holds back nothing: lines never change, and those that come meanwhile are for the next export.
 */
export async function* exportAudit(db: Queryable, options: ExportOptions): AsyncGenerator<ExportedLine | ExportedHead, void, undefined> {
  const { chains = await listChains(db), signer, now } = options
  for (const chain of chains) {
    const [head] = await readHeads(db, [chain])
    if (head === undefined) continue
    yield* exportChain(db, chain, head.sequence)
    yield { type: 'head', ...signer.signHead(head, now) }
  }
}

/** The lines of one chain, oldest first, up to a sequence. */
export async function* exportChain(db: Queryable, chain: Chain, until: number): AsyncGenerator<ExportedLine, void, undefined> {
  let previous = FIRST_PREVIOUS
  let after = 0
  for (;;) {
    const { rows } = await db.query<LineRow>(
      `select l.sequence, l.body, l.hash, p.fields
       from audit_line l left join audit_personal p on p.chain = l.chain and p.sequence = l.sequence
       where l.chain = $1::text and l.sequence > $2::bigint and l.sequence <= $3::bigint order by l.sequence limit ${PAGE}`,
      [chain, after, until],
    )
    for (const row of rows) {
      const hash = row.hash.toString('hex')
      after = Number(row.sequence)
      yield { type: 'line', chain, sequence: after, previous, hash, line: exactBody(row), personal: exportedPersonal(row) }
      previous = hash
    }
    if (rows.length < PAGE) return
  }
}

/** Whoever writes into the tables by hand must not be able to keep an export from being made, nor have it mended. */
function exactBody(row: LineRow): LineBody | string {
  try {
    const body = bodyOf(row)
    return canonicalJson(body as unknown as JsonValue) === row.body ? body : row.body
  } catch {
    return row.body
  }
}

function exportedPersonal(row: LineRow): ExportedLine['personal'] {
  try {
    const fields = Object.entries(personalOf(row)).map(([name, [salt, value]]) => [name, { salt, value }] as const)
    return Object.fromEntries(fields)
  } catch {
    return {}
  }
}

import type { Database, Transaction } from '@ascribe/postgres'
import { canonicalJson } from '../money/canonical-json.ts'
import { formatRanges } from './erased-ranges.ts'
import type { AuditActor, Chain, PersonalFields } from './entry.ts'
import type { Trail } from './trail.ts'
import type { Instant } from '@ascribe/units'

/** What is to be forgotten. */
export type Erasure =
  /** A person who acted: the id, name, mail address and network address in every line, and the person's acting sessions and requests. */
  | { readonly actorId: string }
  /** Fields of single lines, such as a reason that names somebody: `act.reason`, `query`, `personal.email`. */
  | { readonly chain: Chain; readonly sequences: readonly number[]; readonly fields: readonly string[] }

export type EraseOptions = {
  readonly trail: Pick<Trail, 'appendIn'>
  readonly by: AuditActor
  readonly at: Instant
}

export type Erased = { readonly lines: number; readonly fields: number }

const PAGE = 500
const OF_ACTORS = ['actor.id', 'actor.name', 'actor.email', 'actor.ip']

type Row = { readonly chain: string; readonly sequence: bigint; readonly fields: string }

/**
 * Takes personal fields out of the trail, for good. Chains stay whole: a line keeps its commitment, which without the salt says nothing. Each
 * chain gets a line that says which fields of which lines went, and who did it. In pages, each a transaction; call it again if it fails.
 */
export async function eraseAudit(db: Database, erasure: Erasure, options: EraseOptions): Promise<Erased> {
  let [lines, fields] = [0, 0]
  let after: readonly [string, string] = ['', '0']
  for (;;) {
    const page: Page = await db.transaction((tx) => erasePage(tx, erasure, { ...options, after }))
    lines += page.lines
    fields += page.fields
    if (page.next === undefined) break
    after = page.next
  }
  if ('actorId' in erasure) await db.transaction((tx) => forgetOperator(tx, erasure.actorId))
  return { lines, fields }
}

type Page = Erased & { readonly next: readonly [string, string] | undefined }

async function erasePage(
  tx: Transaction,
  erasure: Erasure,
  { after, ...options }: EraseOptions & { readonly after: readonly [string, string] },
): Promise<Page> {
  const rows = await findRows(tx, erasure, after)
  const taken = new Map<Chain, Map<string, number[]>>()
  let [lines, fields] = [0, 0]
  for (const { chain, sequence, fields: text } of rows) {
    const personal = JSON.parse(text) as PersonalFields
    const gone = Object.keys(personal).filter((name) => isErased(erasure, name, personal))
    if (gone.length === 0) continue
    lines += 1
    fields += gone.length
    const left = Object.fromEntries(Object.entries(personal).filter(([name]) => !gone.includes(name)))
    await tx.query('update audit_personal set fields = $3::text where chain = $1::text and sequence = $2::bigint', [
      chain,
      sequence,
      canonicalJson(left),
    ])
    const ofChain = taken.getOrInsertComputed(chain, () => new Map<string, number[]>())
    for (const name of gone) ofChain.getOrInsertComputed(name, () => []).push(Number(sequence))
  }
  const { trail, by: actor, at } = options
  await trail.appendIn(
    tx,
    [...taken].map(([chain, byField]) => {
      const erased = Object.fromEntries([...byField].map(([name, sequences]) => [name, formatRanges(sequences)]))
      return { chain, kind: 'erasure', at, actor, detail: { erased } }
    }),
  )
  const last = rows.at(-1)
  return { lines, fields, next: rows.length < PAGE || last === undefined ? undefined : [last.chain, String(last.sequence)] }
}

async function findRows(tx: Transaction, erasure: Erasure, after: readonly [string, string]): Promise<readonly Row[]> {
  const rest = `(chain collate "C", sequence) > ($1::text collate "C", $2::bigint) order by chain collate "C", sequence limit ${PAGE} for update`
  if ('actorId' in erasure) {
    // Read whole: people are forgotten rarely, and an index on what names them would be one more place to forget.
    const { rows } = await tx.query<Row>(
      `select chain, sequence, fields from audit_personal where position($3::text in fields) > 0 and ${rest}`,
      [...after, JSON.stringify(erasure.actorId)],
    )
    return rows
  }
  const { rows } = await tx.query<Row>(
    `select chain, sequence, fields from audit_personal where chain = $3::text and sequence = any($4::bigint[]) and ${rest}`,
    [...after, erasure.chain, [...erasure.sequences]],
  )
  return rows
}

function isErased(erasure: Erasure, name: string, personal: PersonalFields): boolean {
  if ('actorId' in erasure) return OF_ACTORS.includes(name) && personal['actor.id']?.[1] === erasure.actorId
  return erasure.fields.includes(name)
}

/** One name for all rows of a person, so that they can still be told from those of others, and from one another's sessions. */
async function forgetOperator(tx: Transaction, operator: string): Promise<void> {
  const { rows } = await tx.query<{ name: string }>("select 'erased:' || gen_random_uuid()::text as name")
  const values = [operator, rows[0]?.name]
  await tx.query("update acting_session set operator = $2::text, reason = '', ticket = '' where operator = $1::text", values)
  await tx.query("update support_request set operator = $2::text, reason = '', ticket = '' where operator = $1::text", values)
}

import type { Queryable } from '@ascribe/postgres'
import type { Chain } from './entry.ts'
import { exportChain } from './export.ts'
import type { ExportedLine } from './export.ts'
import { readHeads } from './heads.ts'
import type { UnsignedHead } from './keys.ts'
import { verifyAudit } from './verify.ts'

/** What a check of one chain in the database found. */
export type ChainCheck = {
  readonly lines: number
  /** RFC 3339, of the first line. */
  readonly since?: string
  readonly checked: number
  readonly isWhole: boolean
  readonly problem?: { readonly sequence?: number; readonly message: string }
  readonly erasedFields: number
  readonly head?: UnsignedHead
}

/** A longer log is checked where it is exported: 40,000 lines took 18 s on two cores with six times their work, and a request is no place for minutes. */
const LINES_MAX = 50_000

/**
 * Computes a chain anew from its first line, and compares its end with the head that the database has. Whoever keeps a signed head elsewhere can show
 * more: that nobody who can write to the database made all of it anew.
 */
export async function checkChain(
  db: Queryable,
  chain: Chain,
  { linesMax = LINES_MAX }: { readonly linesMax?: number } = {},
): Promise<ChainCheck> {
  const [head] = await readHeads(db, [chain])
  if (head === undefined) return { lines: 0, checked: 0, isWhole: true, erasedFields: 0 }
  if (head.sequence > linesMax) {
    const message = `The log has more than the ${linesMax} lines that are checked at once. Export it and check it with \`ascribe audit verify\`.`
    return { lines: head.sequence, checked: 0, isWhole: false, problem: { message }, erasedFields: 0, head }
  }
  const seen: { first?: ExportedLine; last?: ExportedLine; count: number } = { count: 0 }
  async function* texts(): AsyncGenerator<string, void, undefined> {
    for await (const line of exportChain(db, chain, head?.sequence ?? 0)) {
      seen.first ??= line
      seen.last = line
      seen.count += 1
      yield JSON.stringify(line)
    }
  }
  const report = await verifyAudit(texts())
  // Of a file without a head at its end it is said that it may be cut off: here the head is the database's own, compared below.
  const [problem] = report.problems.filter(({ kind }) => kind !== 'unsigned' && kind !== 'truncated')
  const { first, last, count } = seen
  const isAtHead = last !== undefined && last.sequence === head.sequence && last.hash === head.hash
  const found =
    problem ??
    (isAtHead
      ? undefined
      : { sequence: last?.sequence ?? 0, message: 'is the last line, and not the one that the head of the chain names' })
  const at = typeof first?.line === 'object' ? first.line.at : undefined
  return {
    lines: head.sequence,
    ...(at !== undefined && { since: at }),
    checked: count,
    isWhole: found === undefined,
    ...(found !== undefined && { problem: { ...(found.sequence !== undefined && { sequence: found.sequence }), message: found.message } }),
    erasedFields: report.chains.reduce((sum, { erasedFields }) => sum + erasedFields, 0),
    head,
  }
}

import type { Statement, StatementQuery } from '@ascribe/contract'
import { readStatement as readFromLedger } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { Refusal } from './errors.ts'

/** A month's statement, as the organization may see it. */
export async function readStatement(db: Database, organizationId: string, { month }: StatementQuery): Promise<Statement> {
  const found = await readFromLedger(db, { organizationId, month, scope: 'customer' })
  if (found === undefined) throw new Refusal('organization_not_found', 'There is no such organization.')
  return found
}

import type { Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { LedgerInputError } from '../errors.ts'
import { sqlInstant } from '../instants.ts'

/** Who bills or is billed, as printed. */
export type BillingParty = {
  readonly legalName: string
  /** Lines from street to country. */
  readonly address: string
  /** ISO 3166-1 alpha-2, or empty; decides which taxes apply. */
  readonly country: string
  readonly taxId: string
  readonly email: string
}

type PartyRow = {
  readonly legal_name: string
  readonly address: string
  readonly country: string
  readonly tax_id: string
  readonly email: string
}

/** Sets what is printed of an organization, or of the seller, from now on. Invoices that are issued keep what they say. @throws {LedgerInputError} */
export async function setBillingParty(
  db: Queryable,
  party: BillingParty & { /** Absent: the seller. */ readonly organizationId?: string; readonly by: string },
): Promise<void> {
  const { organizationId, legalName, address, country, taxId, email, by } = party
  if (legalName.trim() === '') throw new LedgerInputError('Cannot set a billing party: its name is empty')
  if (organizationId !== undefined && !isUuid(organizationId))
    throw new LedgerInputError(`Cannot set a billing party: ${organizationId} is no organization`)
  if (!/^([A-Z]{2})?$/.test(country)) {
    throw new LedgerInputError(`Cannot set a billing party: ${JSON.stringify(country)} is no country`, {
      hint: 'Write two capital letters, such as DE.',
    })
  }
  await db.query(
    `insert into billing_party (organization_id, legal_name, address, country, tax_id, email, created_by)
     values ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text)`,
    [organizationId ?? null, legalName, address, country, taxId, email, by],
  )
}

/** What is printed of an organization at an instant, or of the seller (`undefined`); `undefined` when nothing was set. */
export async function readBillingParty(
  db: Queryable,
  { organizationId, at }: { readonly organizationId: string | undefined; readonly at: Instant },
): Promise<BillingParty | undefined> {
  const { rows } = await db.query<PartyRow>(
    `select legal_name, address, country, tax_id, email from billing_party
     where organization_id is not distinct from $1::uuid and valid_from <= $2::timestamptz
     order by valid_from desc, billing_party_id desc limit 1`,
    [organizationId ?? null, sqlInstant(at)],
  )
  const [row] = rows
  if (row === undefined) return undefined
  return { legalName: row.legal_name, address: row.address, country: row.country, taxId: row.tax_id, email: row.email }
}

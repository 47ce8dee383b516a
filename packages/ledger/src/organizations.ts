import { isCurrency, isUuid } from '@ascribe/units'
import type { Currency } from '@ascribe/units'
import type { Queryable } from '@ascribe/postgres'
import { LedgerInputError } from './errors.ts'

/** A customer. Everything it is billed for is in its one currency. */
export type Organization = {
  /** UUID. */
  readonly id: string
  readonly name: string
  readonly currency: Currency
  /** UTC epoch milliseconds. */
  readonly createdAt: number
}

type OrganizationRow = { readonly organization_id: string; readonly name: string; readonly currency: string; readonly created_at: number }

const COLUMNS = 'organization_id, name, currency, created_at'

/** Makes an organization. Currency default USD; it can never be changed. @throws {LedgerInputError} */
export async function createOrganization(
  db: Queryable,
  input: { readonly name: string; readonly currency?: Currency },
): Promise<Organization> {
  const { name, currency = 'USD' } = input
  if (name.trim() === '' || name.includes('\0')) throw new LedgerInputError('Cannot create an organization: its name is empty or holds NUL')
  if (!isCurrency(currency)) {
    throw new LedgerInputError(`Cannot create an organization: ${JSON.stringify(currency)} is not a currency`, {
      hint: 'Give three capital letters, such as USD.',
    })
  }
  const { rows } = await db.query<OrganizationRow>(
    `insert into organization (name, currency) values ($1::text, $2::text) returning ${COLUMNS}`,
    [name, currency],
  )
  const [row] = rows.map(organizationOf)
  if (row === undefined) throw new Error('insert into organization returned no row')
  return row
}

/** All organizations, oldest first. */
export async function listOrganizations(db: Queryable): Promise<readonly Organization[]> {
  const { rows } = await db.query<OrganizationRow>(`select ${COLUMNS} from organization order by created_at, organization_id`)
  return rows.map(organizationOf)
}

/** Finds an organization by its id or its exact name; `'ambiguous'` when several have that name. */
export async function findOrganization(db: Queryable, idOrName: string): Promise<Organization | 'ambiguous' | undefined> {
  const id = idOrName.toLowerCase()
  const byId = isUuid(id)
  if (idOrName.includes('\0')) return undefined
  const { rows } = await db.query<OrganizationRow>(
    `select ${COLUMNS} from organization where ${byId ? 'organization_id = $1::uuid' : 'name = $1::text'} limit 2`,
    [byId ? id : idOrName],
  )
  return rows.length > 1 ? 'ambiguous' : rows.map(organizationOf)[0]
}

function organizationOf(row: OrganizationRow): Organization {
  return { id: row.organization_id, name: row.name, currency: row.currency, createdAt: row.created_at }
}

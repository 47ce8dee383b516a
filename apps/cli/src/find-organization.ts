import { InputError } from '@ascribe/kit'
import { findOrganization } from '@ascribe/ledger'
import type { Organization } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'

/** The organization that a person means by its id or its name. @throws {InputError} */
export async function organizationNamed(db: Database, idOrName: string): Promise<Organization> {
  const found = await findOrganization(db, idOrName)
  if (found === 'ambiguous') {
    throw new InputError(`Cannot choose: several organizations are called "${idOrName}"`, {
      hint: 'Use the id: `ascribe orgs list` shows it.',
    })
  }
  if (found === undefined) {
    throw new InputError(`Cannot find the organization "${idOrName}"`, { hint: '`ascribe orgs list` shows all of them.' })
  }
  return found
}

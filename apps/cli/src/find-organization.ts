import { InputError, nearest } from '@ascribe/kit'
import { findOrganization, streamOrganizations } from '@ascribe/ledger'
import type { Organization } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'

/** Names that a slip is compared with: more than that, and looking through them takes longer than the person did. */
const NAMES_MAX = 5000

/** The organization that a person means by its id or its name. @throws {InputError} */
export async function organizationNamed(db: Database, idOrName: string): Promise<Organization> {
  const found = await findOrganization(db, idOrName)
  if (found === 'ambiguous') {
    throw new InputError(`Cannot choose: several organizations are called "${idOrName}"`, {
      hint: 'Use the id: `ascribe orgs list` shows it.',
    })
  }
  if (found === undefined) {
    const near = await nearestName(db, idOrName)
    throw new InputError(`Cannot find the organization "${idOrName}"`, {
      hint:
        near === undefined ? '`ascribe orgs list` shows all of them.' : `Did you mean "${near}"? \`ascribe orgs list\` shows all of them.`,
    })
  }
  return found
}

async function nearestName(db: Database, word: string): Promise<string | undefined> {
  const names: string[] = []
  for await (const { name } of streamOrganizations(db)) {
    names.push(name)
    if (names.length === NAMES_MAX) break
  }
  return nearest(word, names)
}

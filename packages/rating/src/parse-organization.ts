import { isUuid } from '@ascribe/units'
import type { Currency } from '@ascribe/units'
import type { Place, YamlReader } from './yaml-reader.ts'

/** The organizations that there are, by id in lower case, and the currency that each is billed in. */
export type KnownOrganizations = ReadonlyMap<string, Currency>

export type OrganizationCheck = { readonly known: KnownOrganizations | undefined; readonly currency: Currency }

/** Reads the id of an organization, in lower case; reports one that is none, or that is `known` not to be billed by this book. */
export function readOrganizationId(
  reader: YamlReader,
  { text, place }: { readonly text: unknown; readonly place: Place },
  { known, currency }: OrganizationCheck,
): string | undefined {
  const id = typeof text === 'string' ? text.toLowerCase() : ''
  if (!isUuid(id)) {
    reader.report(
      place,
      `${JSON.stringify(text ?? null)} is not the id of an organization`,
      'write the UUID that `ascribe orgs list` shows',
    )
    return undefined
  }
  const billedIn = known?.get(id)
  if (known !== undefined && billedIn === undefined) {
    reader.report(place, `there is no organization ${id}`, '`ascribe orgs list` shows all of them')
  } else if (billedIn !== undefined && billedIn !== currency) {
    reader.report(place, `organization ${id} is billed in ${billedIn}, this book is in ${currency}`, `move it to the book in ${billedIn}`)
  }
  return id
}

import { readFamily } from '@ascribe/ledger/views'
import type { OrganizationContext } from '../handler.ts'

/** The currency of the organization that is looked at. */
export async function currencyOf({ db, organizationId }: OrganizationContext): Promise<string> {
  return (await readFamily(db, organizationId))[0]?.currency ?? ''
}

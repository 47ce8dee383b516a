import { bearerToken, isApiKey, publicIdOf } from '@ascribe/identity'
import type { Scope, ServerSecret } from '@ascribe/identity'
import { findCredentialByPublicId } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { Refusal } from './errors.ts'

/** What keys are checked with. */
export type Authentication = { readonly db: Database; readonly serverSecret: ServerSecret }

/** Who is asking: a key of one organization. */
export type Reader = { readonly organizationId: string; /** Of the key. */ readonly authId: string }

/** @throws {Refusal} `unauthenticated` without a valid key, `insufficient_scope` when it may not do that; reading bills, by default */
export async function authenticate(
  { db, serverSecret }: Authentication,
  authorization: string | undefined,
  scope: Scope = 'billing:read',
): Promise<Reader> {
  const token = bearerToken(authorization)
  const publicId = token === undefined ? undefined : publicIdOf(token)
  const credential = publicId === undefined ? undefined : await findCredentialByPublicId(db, publicId)
  // One word for every reason: whether a key once existed is nobody's business.
  if (
    token === undefined ||
    credential === undefined ||
    credential.state !== 'active' ||
    credential.organizationId === undefined ||
    !isApiKey(token, credential.hmac, serverSecret)
  ) {
    throw new Refusal('unauthenticated', 'A valid API key is needed: Authorization: Bearer YOUR_KEY.')
  }
  if (!credential.scopes.includes(scope)) throw new Refusal('insufficient_scope', `This key lacks the scope "${scope}".`)
  return { organizationId: credential.organizationId, authId: credential.authId }
}

/** The organization that is asked about, if it is the reader's own. Somebody else's and nobody's are answered alike. */
export function ownOrganization(reader: Pick<Reader, 'organizationId'>, id: string): string {
  if (id.toLowerCase() !== reader.organizationId) throw new Refusal('organization_not_found', 'There is no such organization.')
  return reader.organizationId
}

import { bearerToken, isApiKey, publicIdOf } from '@ascribe/identity'
import type { ServerSecret } from '@ascribe/identity'
import { findCredentialByPublicId } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { Refusal } from './errors.ts'

/** Who is asking: a key that may read the bills of one organization. */
export type Reader = { readonly organizationId: string }

/** @throws {Refusal} `unauthenticated` without a valid key, `insufficient_scope` when it may not read bills */
export async function authenticate(db: Database, serverSecret: ServerSecret, authorization: string | undefined): Promise<Reader> {
  const token = bearerToken(authorization)
  const publicId = token === undefined ? undefined : publicIdOf(token)
  const credential = publicId === undefined ? undefined : await findCredentialByPublicId(db, publicId)
  // One word for every reason: whether a key once existed is nobody's business.
  if (
    token === undefined ||
    credential === undefined ||
    credential.revokedAt !== undefined ||
    !isApiKey(token, credential.hmac, serverSecret)
  ) {
    throw new Refusal('unauthenticated', 'A valid API key is needed: Authorization: Bearer YOUR_KEY.')
  }
  if (!credential.scopes.includes('billing:read')) throw new Refusal('insufficient_scope', 'This key lacks the scope "billing:read".')
  return { organizationId: credential.organizationId }
}

/** The organization that is asked about, if it is the reader's own. Somebody else's and nobody's are answered alike. */
export function ownOrganization(reader: Reader, id: string): string {
  if (id.toLowerCase() !== reader.organizationId) throw new Refusal('organization_not_found', 'There is no such organization.')
  return reader.organizationId
}

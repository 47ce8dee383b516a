import { bearerToken, isApiKey, publicIdOf } from '@ascribe/identity'
import type { ServerSecret } from '@ascribe/identity'
import { findCredentialByPublicId } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { Refusal } from './errors.ts'
import type { Caller } from './handler.ts'

/** What keys are checked with. */
export type Authentication = { readonly db: Database; readonly serverSecret: ServerSecret }

type KeyCaller = Extract<Caller, { readonly kind: 'key' }>

/** Who asks with an API key. What the key is for is not looked at. @throws {Refusal} `unauthenticated`, in one word for every reason */
export async function authenticate({ db, serverSecret }: Authentication, authorization: string | undefined): Promise<KeyCaller> {
  const token = bearerToken(authorization)
  const publicId = token === undefined ? undefined : publicIdOf(token)
  const credential = publicId === undefined ? undefined : await findCredentialByPublicId(db, publicId)
  // Whether a key once existed is nobody's business.
  if (
    token === undefined ||
    credential === undefined ||
    credential.state !== 'active' ||
    credential.organizationId === undefined ||
    !isApiKey(token, credential.hmac, serverSecret)
  ) {
    throw new Refusal('unauthenticated', 'A valid API key is needed: Authorization: Bearer YOUR_KEY.')
  }
  const { organizationId, authId, scopes } = credential
  return { kind: 'key', organizationId, authId, scopes }
}

/** @throws {Refusal} `insufficient_scope` */
export function requireScope({ scopes }: KeyCaller, scope: KeyCaller['scopes'][number]): void {
  if (!scopes.includes(scope)) throw new Refusal('insufficient_scope', `This key lacks the scope "${scope}".`)
}

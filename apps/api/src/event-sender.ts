import { createHash, timingSafeEqual } from 'node:crypto'
import { bearerToken } from '@ascribe/identity'
import type { EventSender } from '@ascribe/ledger'
import { authenticate, requireScope } from './authenticate.ts'
import type { Authentication } from './authenticate.ts'

/** A credential of the installation itself: whoever holds it may report usage of any organization. */
export type EventToken = { /** For people; written into records. */ readonly id: string; readonly token: string }

/** @throws {Refusal} `unauthenticated` without a valid token or key, `insufficient_scope` when it may not report usage */
export async function authenticateSender(
  { db, serverSecret }: Authentication,
  tokens: readonly EventToken[],
  authorization: string | undefined,
): Promise<EventSender> {
  const given = bearerToken(authorization)
  const token = given === undefined ? undefined : tokens.find((each) => isSame(each.token, given))
  if (token !== undefined) return { kind: 'installation', name: token.id }
  const key = await authenticate({ db, serverSecret }, authorization)
  requireScope(key, 'usage:write')
  return { kind: 'organization', organizationId: key.organizationId, authId: key.authId }
}

/** Takes the same time wherever they differ, and whatever their lengths. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}

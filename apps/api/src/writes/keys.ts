import { createKey, revokeKey, rotateKey } from '@ascribe/contract/writes'
import type { KeyParams, MadeKey, NewKey, RotateKey, RotatedKey } from '@ascribe/contract/writes'
import { createApiKey } from '@ascribe/identity'
import type { ServerSecret } from '@ascribe/identity'
import { createCredential, isCredentialOf, isGroupOf, isMemberOf, revokeCredential, rotateCredential } from '@ascribe/ledger'
import { formatInstant } from '@ascribe/units'
import { authorOf, instantOf } from '../admin/by.ts'
import { Refusal } from '../errors.ts'
import { PlainReply, organizationRoute } from '../handler.ts'
import type { OrganizationContext, Route } from '../handler.ts'

export type KeyDeps = {
  readonly serverSecret: ServerSecret
  /** Returns when gateways of this machine know of a change; a key that was answered works. */
  readonly published: () => Promise<void>
}

/** Making, rotating and ending API keys: by an admin of the organization, or by the platform. */
export function keyRoutes(deps: KeyDeps): readonly Route[] {
  return [
    organizationRoute(createKey, (context, { body }) => create(deps, context, body)),
    organizationRoute(rotateKey, (context, { params, body }) => rotate(deps, context, { ...params, ...body })),
    organizationRoute(revokeKey, async (context, { params: { keyId } }) => {
      await requireOwn(context, keyId)
      await revokeCredential(context.db, keyId)
      await deps.published()
      return new PlainReply({ status: 204 })
    }),
  ]
}

async function create({ serverSecret, published }: KeyDeps, context: OrganizationContext, body: NewKey): Promise<MadeKey> {
  const { db, organizationId, caller, note } = context
  const { name, scopes, userId, groupId, expiresAt } = body
  await requireOwnPeople(context, body)
  const { key, ...proof } = createApiKey(serverSecret)
  const outcome = await createCredential(db, {
    ...proof,
    organizationId,
    name,
    scopes,
    ...(userId !== undefined && { userId }),
    ...(groupId !== undefined && { groupId }),
    ...(expiresAt !== undefined && { expiresAt: instantOf(expiresAt) }),
    recordedBy: authorOf(caller),
  })
  switch (outcome.kind) {
    case 'created':
      note({ key: outcome.authId, scopes: scopes.join(' ') })
      await published()
      return { id: outcome.authId, authId: outcome.authId, secret: key, ...(expiresAt !== undefined && { expiresAt }) }
    case 'group_elsewhere':
      throw unknownGroup()
    case 'unknown_organization':
      throw new Refusal('organization_not_found', 'There is no such organization.')
    case 'public_id_taken':
      // One in 36^12.
      throw new Refusal('unavailable', 'Try again.')
  }
}

/**
 * Use counts for whom a key names, on budgets that go by that id alone. So a customer names his own people and groups: anybody else is as unknown
 * as nobody, or two organizations would spend from one budget. The platform may name who is yet to come.
 */
async function requireOwnPeople({ db, organizationId, caller }: OrganizationContext, { userId, groupId }: NewKey): Promise<void> {
  if (caller.kind === 'platform') return
  const isHimself = caller.kind === 'user' && caller.subject === userId
  if (userId !== undefined && !isHimself && !(await isMemberOf(db, { userId, organizationId })))
    throw new Refusal('not_found', 'There is no such user in the organization.')
  if (groupId !== undefined && !(await isGroupOf(db, { groupId, organizationId }))) throw unknownGroup()
}

function unknownGroup(): Refusal {
  return new Refusal('not_found', 'There is no such group in the organization.')
}

async function rotate(
  { serverSecret, published }: KeyDeps,
  context: OrganizationContext,
  { keyId, overlapSeconds, expiresAt }: KeyParams & RotateKey,
): Promise<RotatedKey> {
  await requireOwn(context, keyId)
  const { key, ...proof } = createApiKey(serverSecret)
  const outcome = await rotateCredential(context.db, {
    ...proof,
    authId: keyId,
    overlapMs: overlapSeconds * 1000,
    ...(expiresAt !== undefined && { expiresAt: expiresAt === null ? 'never' : instantOf(expiresAt) }),
    recordedBy: authorOf(context.caller),
  })
  switch (outcome.kind) {
    case 'rotated':
      await published()
      return {
        id: keyId,
        authId: keyId,
        secret: key,
        ...(outcome.expiresAt !== undefined && { expiresAt: formatInstant(outcome.expiresAt) }),
        ...(outcome.oldEndsAt !== undefined && { oldEndsAt: formatInstant(outcome.oldEndsAt) }),
      }
    case 'revoked':
      throw new Refusal('conflict', 'The key is revoked, for ever. Make another one.')
    case 'unknown':
      throw unknownKey()
    case 'public_id_taken':
      throw new Refusal('unavailable', 'Try again.')
  }
}

/** Whose the key is now: somebody else's is as unknown as nobody's. */
async function requireOwn({ db, organizationId, note }: OrganizationContext, keyId: string): Promise<void> {
  if (!(await isCredentialOf(db, { authId: keyId, organizationId }))) throw unknownKey()
  note({ key: keyId })
}

function unknownKey(): Refusal {
  return new Refusal('not_found', 'There is no such key.')
}

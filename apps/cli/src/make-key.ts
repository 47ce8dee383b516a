import { createApiKey } from '@ascribe/identity'
import { InputError } from '@ascribe/kit'
import { createCredential, rotateCredential } from '@ascribe/ledger'
import type { NewCredential, Rotation } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import type { Context } from './context.ts'
import { serverSecretOf } from './server-secret.ts'

type Place = Pick<Context, 'config' | 'dir'>
type Made = 'publicId' | 'hmac' | 'serverSecretId'

/** Makes a key and stores what proves it. @throws {InputError} */
export async function createKey(
  context: Place,
  db: Database,
  wanted: Omit<NewCredential, Made>,
): Promise<{ readonly authId: string; readonly key: string }> {
  const secret = serverSecretOf(context)
  for (;;) {
    const { key, ...made } = createApiKey(secret)
    const outcome = await createCredential(db, { ...wanted, ...made })
    switch (outcome.kind) {
      case 'created':
        return { authId: outcome.authId, key }
      case 'unknown_organization':
        throw new InputError(`Cannot make a key: there is no organization ${wanted.organizationId}`)
      case 'group_elsewhere':
        throw new InputError(`Cannot make a key: group "${wanted.groupId}" is of another organization`)
      case 'public_id_taken':
      // One in 36^12. The next one is not.
    }
  }
}

/** Makes a new key for the auth id of an old one. @throws {InputError} */
export async function rotateKey(
  context: Place,
  db: Database,
  wanted: Omit<Rotation, Made>,
): Promise<{ readonly key: string; readonly oldEndsAt?: number; readonly expiresAt?: number }> {
  const secret = serverSecretOf(context)
  for (;;) {
    const { key, ...made } = createApiKey(secret)
    const outcome = await rotateCredential(db, { ...wanted, ...made })
    switch (outcome.kind) {
      case 'rotated':
        return { key, ...outcome }
      case 'unknown':
        throw new InputError(`Cannot rotate ${wanted.authId}: it is no key of ours`, { hint: '`ascribe keys list` shows all of them.' })
      case 'revoked':
        throw new InputError(`Cannot rotate ${wanted.authId}: it is revoked, for ever`, {
          hint: 'Make another key: `ascribe keys create`.',
        })
      case 'public_id_taken':
    }
  }
}

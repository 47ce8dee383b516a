import type { OwnerRequest } from '@ascribe/impersonation'
import { parseMintKey } from './binding-notes.ts'
import { AuthorityError } from './errors.ts'
import type { Snapshot } from './snapshot.ts'
import { bestOf, errorOf } from './standing.ts'
import type { Account } from './types.ts'

/**
 * The policy as a token source asks it: the very binding that is named, at the generation that is named, must stand for this user and
 * region now, whoever asks for the token and whatever is cached.
 * @throws {AuthorityError} with the condition's reason
 */
export function requireBinding(
  snapshot: Pick<Snapshot, 'bindings' | 'facts'>,
  { bindingGeneration, ownerUuid, region }: Pick<OwnerRequest, 'bindingGeneration' | 'ownerUuid' | 'region'>,
): Account {
  const key = parseMintKey(bindingGeneration)
  const binding = snapshot.bindings.list().find(({ metadata }) => metadata.uid === key?.uid)
  if (
    key === undefined ||
    binding?.metadata.generation !== key.generation ||
    binding.spec.subject.userUUID.toLowerCase() !== ownerUuid.toLowerCase()
  )
    throw new AuthorityError('Cannot act for this owner: its binding is gone, or is another one by now', { reason: 'OwnerNotAuthorized' })
  const where = { namespace: binding.spec.namespaceRef.name, region, purpose: key.purpose }
  const standing = bestOf(snapshot.facts(), [binding], where)
  if (!standing.ok) throw errorOf(standing)
  return standing.account
}

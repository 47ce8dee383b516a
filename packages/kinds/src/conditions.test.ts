import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CONDITIONS, REASONS, conditionsDocument, reasonText } from './conditions.ts'

/** Of the interface that scripts rely on (issue F). */
const INTERFACE =
  'OwnerNotAuthorized OwnerMismatch OwnerNotFound OwnerSuspended RegionNotAllowed ServiceAccountRejected ImpersonationForbidden OAuthUnavailable ServerNotAccessible ServerNotFound DeletionBlocked InsufficientFunds InsufficientCapacity QuotaExceeded InvalidSpec ImageNotAllowed Paused'

test('REASONS has every reason of the interface', () => {
  for (const reason of INTERFACE.split(' ')) assert.ok(reasonText(reason), reason)
})

test('every reason fits metav1, and says what it means and what to do', () => {
  for (const [reason, { means, todo }] of Object.entries(REASONS)) {
    assert.match(reason, /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
    assert.ok(means.endsWith('.') && todo.endsWith('.'), reason)
  }
})

test('conditionsDocument() names every condition and every reason once', () => {
  const text = conditionsDocument()
  for (const name of Object.keys(CONDITIONS)) assert.match(text, new RegExp(`^\\| \`${name}\` \\|`, 'm'))
  for (const name of Object.keys(REASONS)) assert.match(text, new RegExp(`^\\| \`${name}\` \\| .+ \\| .+ \\|$`, 'm'))
})

test('reasonText() knows nothing of names that every object has', () => {
  assert.equal(reasonText('toString'), undefined)
  assert.equal(reasonText('Somebody'), undefined)
})

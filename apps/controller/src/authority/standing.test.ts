import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ALICE, BOB, NOW, binding, cluster, factsOf, impersonator } from '../../test/support/facts.ts'
import type { World } from '../../test/support/facts.ts'
import type { AccountPin } from './pin.ts'
import { selectAccount } from './select-account.ts'
import { standingOf } from './standing.ts'
import type { Purpose } from './types.ts'

const PIN: AccountPin = { kind: 'Owner', userUUID: ALICE, region: 'zrh', binding: 'alice' }

function reason(world: World, { purpose = 'operate', pin = PIN }: { purpose?: Purpose; pin?: AccountPin } = {}): string {
  const standing = standingOf(factsOf(world), pin, { namespace: 'a', purpose })
  return standing.ok ? (standing.account.binding?.name ?? standing.account.kind) : standing.reason
}

test('standingOf() authorizes by any live binding of the namespace with the pinned user', () => {
  assert.equal(reason({}), 'alice')
  const renewed = binding({ name: 'alice-2', email: 'new@example.com', createdAt: '2026-11-20T00:00:00Z' })
  assert.equal(reason({ bindings: [binding({ isDeleting: true }), renewed] }), 'alice-2')
  assert.equal(reason({ bindings: [binding(), renewed] }), 'alice')
  assert.equal(reason({ bindings: [binding({ name: 'bob', user: BOB })] }), 'OwnerNotAuthorized')
})

test('5.4: standingOf() refuses a binding from the instant that it is being deleted, has expired, or its date cannot be read', () => {
  assert.equal(reason({ bindings: [binding({ isDeleting: true })] }), 'OwnerNotAuthorized')
  const expiring = (expiresAt: string): World => ({ bindings: [binding({ spec: { expiresAt } })] })
  assert.equal(reason(expiring(new Date(NOW + 1).toISOString())), 'alice')
  assert.equal(reason(expiring(new Date(NOW).toISOString())), 'OwnerNotAuthorized')
  assert.equal(reason(expiring('tomorrow')), 'OwnerNotAuthorized')
})

test('standingOf() refuses a namespace that only has the name of the bound one', () => {
  assert.equal(reason({ namespaces: { a: 'uid-of-another' } }), 'OwnerNotAuthorized')
  assert.equal(reason({ namespaces: { a: 'uid-of-another' } }, { purpose: 'cleanup' }), 'OwnerNotAuthorized')
})

test('5.7: standingOf() lets what was made be taken away after a revocation, unless the binding forbids it', () => {
  const gone = binding({ isDeleting: true })
  assert.equal(reason({ bindings: [gone] }, { purpose: 'cleanup' }), 'alice')
  const forbidding = binding({ isDeleting: true, spec: { allowCleanupAfterRevoke: false } })
  assert.equal(reason({ bindings: [forbidding] }, { purpose: 'cleanup' }), 'OwnerNotAuthorized')
  assert.equal(reason({ bindings: [binding({ spec: { allowCleanupAfterRevoke: false } })] }, { purpose: 'cleanup' }), 'alice')
  const closed = [impersonator({ spec: { allowedNamespaces: { mode: 'None' } } })]
  assert.equal(reason({ impersonators: closed }), 'ImpersonationForbidden')
  assert.equal(reason({ impersonators: closed }, { purpose: 'cleanup' }), 'alice')
  // Even then the hosts are those of the table, and somebody must have bound the owner.
  const moved = [
    impersonator({ spec: { regions: [{ name: 'sjc', apiHost: 'direct.sjc.example', impersonateHost: 'direct.sjc.example' }] } }),
  ]
  assert.equal(reason({ impersonators: moved }, { purpose: 'cleanup' }), 'RegionNotAllowed')
  assert.equal(reason({ bindings: [] }, { purpose: 'cleanup' }), 'OwnerNotAuthorized')
})

test('standingOf() keeps an account of the platform usable after the fallback was forbidden again: it is sticky', () => {
  const pin: AccountPin = { kind: 'PlatformAccount', userUUID: BOB, region: 'zrh', impersonator: 'prod' }
  assert.equal(reason({ hasPlatform: true }, { pin }), 'PlatformAccount')
  assert.equal(reason({}, { pin }), 'ServiceAccountRejected')
  assert.equal(reason({ hasPlatform: true, impersonators: [] }, { pin }), 'ImpersonationForbidden')
  assert.equal(reason({ hasPlatform: true }, { pin: { ...pin, region: 'lon' } }), 'RegionNotAllowed')
  assert.equal(reason({ hasLegacy: true }, { pin: { kind: 'Legacy', userUUID: BOB, region: 'zrh' } }), 'Legacy')
})

test('standingOf() of an adopted account without an impersonator uses the one host of its region, and refuses two', () => {
  const pin: AccountPin = { kind: 'PlatformAccount', userUUID: BOB, region: 'zrh' }
  const other = (host: string): World => ({
    hasPlatform: true,
    impersonators: [
      impersonator(),
      impersonator({ name: 'second', spec: { regions: [{ name: 'zrh', apiHost: host, impersonateHost: host }] } }),
    ],
  })
  assert.equal(reason(other('direct.zrh.example'), { pin }), 'PlatformAccount')
  assert.equal(reason(other('direct.elsewhere.example'), { pin }), 'RegionNotAllowed')
})

/** What may go wrong with a world, without anybody having decided anything. */
const breakages: readonly ((world: World) => World)[] = [
  (world) => ({ ...world, isReady: false }),
  (world) => ({ ...world, bindings: [] }),
  (world) => ({ ...world, bindings: (world.bindings ?? []).slice(1) }),
  (world) => ({ ...world, bindings: (world.bindings ?? []).slice(0, -1) }),
  (world) => ({ ...world, impersonators: [] }),
  (world) => ({ ...world, impersonators: (world.impersonators ?? []).slice(1) }),
  (world) => ({ ...world, impersonators: (world.impersonators ?? []).slice(0, -1) }),
  (world) => ({ ...world, namespaces: {} }),
  (world) => ({ ...world, namespaces: { a: 'another' } }),
  (world) => ({ ...world, now: NOW + 365 * 86_400_000 }),
  (world) => ({ ...world, hasPlatform: false }),
  (world) => ({
    ...world,
    bindings: (world.bindings ?? []).map((each) => ({ ...each, metadata: { ...each.metadata, deletionTimestamp: 'x' } })),
  }),
]

const bindings = fc.subarray([
  binding(),
  binding({ name: 'bob', email: 'bob@example.com', user: BOB }),
  binding({ name: 'alice-at-second', spec: { impersonatorRef: { name: 'second' } } }),
  binding({ name: 'old', email: 'alice@example.com', user: BOB, isDeleting: true }),
  binding({ name: 'brief', user: BOB, email: 'bob@example.com', spec: { expiresAt: new Date(NOW + 1000).toISOString() } }),
])
const impersonators = fc.subarray([
  impersonator({ spec: { fallback: { mode: 'PlatformAccount' } } }),
  impersonator({ name: 'second' }),
  impersonator({ name: 'third', spec: { allowedNamespaces: { mode: 'None' }, fallback: { mode: 'PlatformAccount' } } }),
])
const worlds = fc.record({ bindings, impersonators, hasPlatform: fc.boolean() })
const words = fc.constantFrom(
  cluster(),
  cluster({ userEmail: 'bob@example.com' }),
  cluster({ userEmail: 'nobody@example.com' }),
  cluster({ ownerBindingRef: { name: 'alice-at-second' } }),
  cluster({ userEmail: '' }),
  cluster({ userEmail: '' }, { 'ascribe.dev/fallback': 'Forbid' }),
  cluster({ userRef: { name: 'owner' } }),
)

function answer(world: World, object: ReturnType<typeof cluster>, secret: string | undefined): string | undefined {
  const secrets = new Map(secret === undefined ? [] : [['owner', secret]])
  const selected = selectAccount(factsOf(world), { namespace: 'a', cluster: object }, secrets)
  return selected.ok ? (selected.kind === 'Owner' ? selected.pin.userUUID : selected.kind) : undefined
}

test('H-5: whatever goes missing, ends or breaks, selectAccount() never changes the account: it refuses (property)', () => {
  fc.assert(
    fc.property(
      worlds,
      words,
      fc.array(fc.constantFrom(...breakages), { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      (world, object, broken, hasSecret) => {
        const before = answer(world, object, 'alice@example.com')
        const after = answer(
          broken.reduce<World>((each, step) => step(each), world),
          object,
          hasSecret ? 'alice@example.com' : undefined,
        )
        // A decision that was not possible may become so (one of two was taken away); one that was made never becomes another.
        if (before !== undefined && after !== undefined) assert.equal(after, before)
        // And nothing that breaks leads to the platform's account.
        if (after === 'PlatformAccount') assert.equal(before, 'PlatformAccount')
      },
    ),
    { numRuns: 2000 },
  )
})

test('H-5: standingOf() of a pin is that account or none, in every world (property)', () => {
  const pins: readonly AccountPin[] = [
    PIN,
    { ...PIN, userUUID: BOB, binding: 'bob' },
    { kind: 'PlatformAccount', userUUID: BOB, region: 'zrh', impersonator: 'prod' },
  ]
  fc.assert(
    fc.property(worlds, fc.constantFrom(...pins), fc.constantFrom<Purpose>('operate', 'cleanup'), (world, pin, purpose) => {
      const standing = standingOf(factsOf(world), pin, { namespace: 'a', purpose })
      if (standing.ok)
        assert.deepEqual([standing.account.kind, standing.account.userUUID, standing.account.region], [pin.kind, pin.userUUID, pin.region])
    }),
    { numRuns: 1000 },
  )
})

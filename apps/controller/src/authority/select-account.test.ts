import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALICE, BOB, binding, cluster, factsOf, impersonator } from '../../test/support/facts.ts'
import type { World } from '../../test/support/facts.ts'
import { selectAccount } from './select-account.ts'
import type { Selected } from './select-account.ts'
import type { NamingObject } from './types.ts'

type Asked = {
  readonly world?: World
  readonly cluster?: NamingObject
  readonly machine?: NamingObject
  readonly secrets?: Record<string, string>
}

function select(asked: Asked = {}): Selected {
  const request = { namespace: 'a', cluster: asked.cluster ?? cluster(), ...(asked.machine !== undefined && { machine: asked.machine }) }
  return selectAccount(factsOf(asked.world), request, new Map(Object.entries(asked.secrets ?? {})))
}

function userOf(selected: Selected): string {
  return selected.ok && selected.kind === 'Owner' ? selected.pin.userUUID : selected.ok ? selected.kind : selected.reason
}

const machine = (spec: NonNullable<NamingObject['spec']>): NamingObject => ({ metadata: { name: 'm', namespace: 'a' }, spec })

test('selectAccount() pins the bound user when userEmail, userRef, an annotation or ownerBindingRef names the owner (5.3)', () => {
  const ways: readonly Asked[] = [
    { cluster: cluster({ userEmail: 'Alice@Example.com' }) },
    { cluster: cluster({ userRef: { name: 'owner' } }), secrets: { owner: 'alice@example.com' } },
    { cluster: cluster({}, { 'cloudsigma.com/owner-email': 'alice@example.com' }) },
    { cluster: cluster({}, { 'kube-dc.com/owner-email': 'alice@example.com' }) },
    { cluster: cluster({ ownerBindingRef: { name: 'alice' } }) },
  ]
  for (const way of ways) {
    const selected = select(way)
    assert.equal(userOf(selected), ALICE)
    assert.ok(selected.ok && selected.kind === 'Owner')
    assert.deepEqual(selected.pin, { kind: 'Owner', userUUID: ALICE, region: 'zrh', binding: 'alice' })
  }
})

test('selectAccount() takes the template’s word over the cluster’s', () => {
  const world = { bindings: [binding(), binding({ name: 'bob', email: 'bob@example.com', user: BOB })] }
  assert.equal(userOf(select({ world, machine: machine({ userEmail: 'bob@example.com' }) })), BOB)
  assert.equal(userOf(select({ world, machine: machine({}) })), ALICE)
})

test('H-1: selectAccount() refuses an owner who is not bound to this very namespace', () => {
  assert.equal(userOf(select({ cluster: cluster({ userEmail: 'victim@example.com' }) })), 'OwnerNotAuthorized')
  const elsewhere = { bindings: [binding({ namespace: 'b' })] }
  assert.equal(userOf(select({ world: elsewhere })), 'OwnerNotAuthorized')
  assert.equal(userOf(select({ world: elsewhere, cluster: cluster({ ownerBindingRef: { name: 'alice' } }) })), 'OwnerNotAuthorized')
  assert.equal(userOf(select({ world: { bindings: [] } })), 'OwnerNotAuthorized')
})

test('R-10: selectAccount() refuses two different answers, and takes two equal ones', () => {
  const world = { bindings: [binding(), binding({ name: 'bob', email: 'bob@example.com', user: BOB })] }
  const two = cluster({ userEmail: 'alice@example.com', ownerBindingRef: { name: 'bob' } })
  assert.equal(userOf(select({ world, cluster: two })), 'InvalidSpec')
  const annotations = { 'cloudsigma.com/owner-email': 'alice@example.com', 'kube-dc.com/owner-email': 'bob@example.com' }
  assert.equal(userOf(select({ world, cluster: cluster({}, annotations) })), 'InvalidSpec')
  const same = { 'cloudsigma.com/owner-email': 'alice@example.com', 'kube-dc.com/owner-email': 'ALICE@example.com' }
  assert.equal(userOf(select({ world, cluster: cluster({ userEmail: 'alice@example.com' }, same) })), ALICE)
})

test('H-6: selectAccount() refuses an address that two users have now, and one that only looks alike', () => {
  const reassigned = { bindings: [binding(), binding({ name: 'late', user: BOB })] }
  assert.equal(userOf(select({ world: reassigned })), 'InvalidSpec')
  // The ended one of the two is no answer any more.
  const ended = { bindings: [binding({ isDeleting: true }), binding({ name: 'late', user: BOB })] }
  assert.equal(userOf(select({ world: ended })), BOB)
  assert.equal(userOf(select({ cluster: cluster({ userEmail: 'аlice@example.com' }) })), 'InvalidSpec')
  assert.equal(userOf(select({ cluster: cluster({ userEmail: 'alice@example.com\n' }) })), 'InvalidSpec')
})

test('H-4: selectAccount() refuses a userRef into another namespace', () => {
  const selected = select({
    cluster: cluster({ userRef: { name: 'owner', namespace: 'kube-system' } }),
    secrets: { owner: 'alice@example.com' },
  })
  assert.equal(userOf(selected), 'InvalidSpec')
})

test('selectAccount() refuses what an Impersonator does not allow: None by default, Selected by name or label', () => {
  const allowing = (allowedNamespaces: object): World => ({
    impersonators: [impersonator({ spec: { allowedNamespaces } as never })],
    labels: { tier: 'gold' },
  })
  assert.equal(
    userOf(select({ world: { impersonators: [impersonator({ spec: { allowedNamespaces: undefined } as never })] } })),
    'ImpersonationForbidden',
  )
  assert.equal(userOf(select({ world: allowing({ mode: 'None', names: ['a'] }) })), 'ImpersonationForbidden')
  assert.equal(userOf(select({ world: allowing({ mode: 'Selected', names: ['b'] }) })), 'ImpersonationForbidden')
  assert.equal(userOf(select({ world: allowing({ mode: 'All' }) })), ALICE)
  assert.equal(userOf(select({ world: allowing({ mode: 'Selected', selector: { matchLabels: { tier: 'gold' } } }) })), ALICE)
  assert.equal(
    userOf(
      select({
        world: allowing({ mode: 'Selected', selector: { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['gold'] }] } }),
      }),
    ),
    'ImpersonationForbidden',
  )
  // CAPZ #1331: an empty selector is nobody, not everybody.
  assert.equal(userOf(select({ world: allowing({ mode: 'Selected', selector: {} }) })), 'ImpersonationForbidden')
})

test('H-3: selectAccount() refuses a region that is not in the Impersonator’s table, or that the binding does not allow', () => {
  for (const region of ['evil.example/', 'x@evil.example', 'lon', 'ZRH'])
    assert.equal(userOf(select({ cluster: cluster({ region, userEmail: 'alice@example.com' }) })), 'RegionNotAllowed')
  const narrow = { bindings: [binding({ spec: { limits: { regions: ['sjc'] } } })] }
  assert.equal(userOf(select({ world: narrow })), 'RegionNotAllowed')
  assert.equal(userOf(select({ world: narrow, cluster: cluster({ region: 'sjc', userEmail: 'alice@example.com' }) })), ALICE)
  assert.equal(userOf(select({ cluster: cluster({ region: '', userEmail: 'alice@example.com' }) })), 'InvalidSpec')
})

test('R-26: selectAccount() waits for a binding that nobody holds yet, and for caches', () => {
  assert.equal(userOf(select({ world: { bindings: [binding({ isHeld: false })] } })), 'WaitingForBinding')
  assert.equal(userOf(select({ world: { isReady: false } })), 'WaitingForCaches')
  assert.equal(userOf(select({ world: { namespaces: {} } })), 'WaitingForNamespace')
})

const OFFERING = impersonator({ spec: { fallback: { mode: 'PlatformAccount' } } })
const CHOSEN = { 'ascribe.dev/fallback': 'PlatformAccount' }

test('H-5: selectAccount() gives the platform’s account only where an administrator has chosen it beforehand', () => {
  const silent = cluster({ userEmail: '' })
  assert.equal(userOf(select({ cluster: silent })), 'OwnerNotAuthorized')
  assert.equal(userOf(select({ cluster: silent, world: { hasPlatform: true } })), 'OwnerNotAuthorized')
  const world = { impersonators: [OFFERING], hasPlatform: true }
  assert.equal(userOf(select({ cluster: silent, world })), 'PlatformAccount')
  // Somebody is named, and not bound: that is refused, and no occasion.
  assert.equal(userOf(select({ cluster: cluster({ userEmail: 'victim@example.com' }), world })), 'OwnerNotAuthorized')
  assert.equal(userOf(select({ world })), ALICE)
  assert.equal(userOf(select({ cluster: cluster({}, { 'ascribe.dev/fallback': 'Forbid' }), world })), 'OwnerNotAuthorized')
  assert.equal(userOf(select({ cluster: cluster({}, { 'ascribe.dev/fallback': 'yes' }), world })), 'InvalidSpec')
  // For this very cluster, whoever is named.
  assert.equal(
    userOf(select({ cluster: cluster({ userEmail: 'alice@example.com' }, CHOSEN), world: { hasPlatform: true } })),
    'PlatformAccount',
  )
  assert.equal(userOf(select({ cluster: cluster({}, CHOSEN) })), 'ServiceAccountRejected')
  const closed = impersonator({ spec: { allowedNamespaces: { mode: 'None' } } })
  assert.equal(
    userOf(select({ cluster: cluster({}, CHOSEN), world: { impersonators: [closed], hasPlatform: true } })),
    'ImpersonationForbidden',
  )
})

test('selectAccount() uses the one account of the legacy mode where that is chosen', () => {
  assert.equal(userOf(select({ world: { isLegacy: true, impersonators: [], bindings: [] } })), 'Legacy')
  assert.equal(
    userOf(select({ world: { isLegacy: true, impersonators: [], bindings: [] }, cluster: cluster({ region: 'lon' }) })),
    'RegionNotAllowed',
  )
  assert.equal(userOf(select({ world: { hasLegacy: true } })), ALICE)
})

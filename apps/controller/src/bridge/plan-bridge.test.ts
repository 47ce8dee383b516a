import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ANNOTATIONS } from '@ascribe/kinds'
import type { KdcCluster } from './kdc-cluster.ts'
import { specHash } from './machine-spec.ts'
import { planBridge } from './plan-bridge.ts'
import type { BridgePlan } from './plan-bridge.ts'

const IMAGE = 'b2c1d0e5-7a3f-4c0e-9d41-0f6a2f8a9b10'
const OWNER = { 'cloudsigma.com/owner-email': 'user@example.com' }

type Pool = { readonly name?: string; readonly cloudsigma?: object; readonly [field: string]: unknown }

function kdc({
  annotations = OWNER,
  pools = [{}],
  ...metadata
}: { annotations?: Record<string, string>; pools?: readonly Pool[]; deletionTimestamp?: string } = {}): KdcCluster {
  return {
    apiVersion: 'k8s.kube-dc.com/v1alpha1',
    kind: 'KdcCluster',
    metadata: { name: 'my-cluster', namespace: 'user-project', uid: 'kdc-uid', annotations, ...metadata },
    spec: {
      version: 'v1.34.0',
      workers: pools.map(({ cloudsigma, ...pool }) => ({
        name: 'worker-pool-1',
        infrastructureProvider: 'cloudsigma',
        cloudsigma: { imageUUID: IMAGE, region: 'next', ...cloudsigma },
        ...pool,
      })),
    },
  }
}

function applied(plan: BridgePlan): Extract<BridgePlan, { outcome: 'apply' }> {
  assert.equal(plan.outcome, 'apply', JSON.stringify(plan))
  return plan as Extract<BridgePlan, { outcome: 'apply' }>
}

function machineOf(pool: Pool): object {
  const [template] = applied(planBridge(kdc({ pools: [pool] }))).templates
  return template?.spec.template.spec ?? {}
}

test('planBridge() makes a cluster in the name of the owner and a template for each pool in the cloud', () => {
  const plan = applied(
    planBridge(
      kdc({
        pools: [{}, { name: 'metal', infrastructureProvider: 'kubevirt' }, { name: 'big', cpuCores: 4, memory: '8Gi' }],
      }),
    ),
  )
  assert.deepEqual(plan.cluster.spec, { region: 'next', userEmail: 'user@example.com' })
  assert.deepEqual(
    plan.templates.map(({ pool }) => pool),
    ['worker-pool-1', 'big'],
  )
  for (const { pool, metadata } of plan.templates) {
    assert.equal(plan.cluster.metadata.annotations[`ascribe.dev/template-${pool}`], metadata.name)
    assert.match(metadata.name, new RegExp(`^my-cluster-${pool}-[0-9a-f]{10}$`))
    assert.deepEqual(metadata.ownerReferences, [
      { apiVersion: 'k8s.kube-dc.com/v1alpha1', kind: 'KdcCluster', name: 'my-cluster', uid: 'kdc-uid', controller: true },
    ])
  }
})

test("planBridge() reads today's words of a pool, and those of before", () => {
  assert.deepEqual(machineOf({ cpuCores: 5, memory: '4Gi', cloudsigma: { diskSizeGB: 50, tags: ['k8s'], meta: { a: 'b' } } }), {
    cpu: 10_000,
    cpuCores: 5,
    memory: 4096,
    disks: [{ uuid: IMAGE, device: 'virtio', boot_order: 1, size: 50 * 1024 ** 3 }],
    tags: ['k8s'],
    meta: { a: 'b' },
  })
  assert.deepEqual(machineOf({ cloudsigma: { cpu: 2000, memory: 4096, diskSize: 10 } }), {
    cpu: 2000,
    memory: 4096,
    disks: [{ uuid: IMAGE, device: 'virtio', boot_order: 1, size: 10 * 1024 ** 3 }],
  })
})

test('planBridge() says the number of cores, or the cloud gives fewer and faster ones (1.12)', () => {
  const cores = (pool: Pool): unknown => (machineOf(pool) as { cpuCores?: number }).cpuCores
  assert.equal(cores({ cpuCores: 5 }), 5)
  assert.equal(cores({ cpuCores: 5, cloudsigma: { cpuMHz: 12_500 } }), 5)
  assert.equal(cores({}), 1)
  // One core is kube-dc's default: beside a frequency it may mean nothing.
  assert.equal(cores({ cpuCores: 1, cloudsigma: { cpuMHz: 8000 } }), undefined)
})

test('planBridge() takes interfaces as they are: pool, vlan or public', () => {
  const nics = [{ vlan: IMAGE, ipPoolRef: { name: 'pool' } }, { public: true }]
  assert.deepEqual((machineOf({ cloudsigma: { nics } }) as { nics: unknown }).nics, [
    { vlan: IMAGE, ipPoolRef: { apiGroup: 'ipam.cluster.x-k8s.io', kind: 'InClusterIPPool', name: 'pool' } },
    { public: true },
  ])
})

test('R-10: planBridge() reads the old owner annotation, and refuses two that differ', () => {
  const old = applied(planBridge(kdc({ annotations: { 'kube-dc.com/owner-email': 'user@example.com' } })))
  assert.equal(old.cluster.spec.userEmail, 'user@example.com')
  assert.equal(old.usesOldAnnotation, true)
  const both = (value: string): BridgePlan => planBridge(kdc({ annotations: { ...OWNER, 'kube-dc.com/owner-email': value } }))
  assert.equal(applied(both('User@Example.com')).cluster.spec.userEmail, 'user@example.com')
  assert.deepEqual(both('victim@example.com'), {
    outcome: 'held',
    reason: 'OwnerMismatch',
    message: 'cloudsigma.com/owner-email and kube-dc.com/owner-email name different owners: remove one of them',
  })
})

test('H-5: planBridge() makes nothing while nobody owns it, unless an administrator put it into the account of the platform', () => {
  const nobody = planBridge(kdc({ annotations: {} }))
  assert.equal(nobody.outcome === 'held' && nobody.reason, 'WaitingForOwner')
  assert.equal(planBridge(kdc({ annotations: { 'cloudsigma.com/owner-email': ' ' } })).outcome, 'held')
  const platforms = applied(planBridge(kdc({ annotations: { [ANNOTATIONS.fallback]: 'PlatformAccount' } })))
  assert.equal(platforms.cluster.spec.userEmail, undefined)
  assert.equal(platforms.cluster.metadata.annotations[ANNOTATIONS.fallback], 'PlatformAccount')
  // An owner who is named stays the owner.
  const owned = applied(planBridge(kdc({ annotations: { ...OWNER, [ANNOTATIONS.fallback]: 'PlatformAccount' } })))
  assert.equal(owned.cluster.spec.userEmail, 'user@example.com')
  assert.equal(owned.cluster.metadata.annotations[ANNOTATIONS.fallback], undefined)
})

test('planBridge() holds what has no region, several, a quantity that is none, or two pools of a name', () => {
  const problems: readonly (readonly [readonly Pool[], RegExp])[] = [
    [[{ cloudsigma: { region: undefined } }], /no pool says its region/],
    [[{}, { name: 'b', cloudsigma: { region: 'zrh' } }], /several regions \(next, zrh\)/],
    [[{ memory: 'much' }], /memory much is no quantity/],
    [[{}, {}], /two pools are called worker-pool-1/],
    [[{ cloudsigma: { imageUUID: 7 } }], /spec\.workers\[0\]\.cloudsigma\.imageUUID/],
    [[{ name: 'Not A Name' }], /spec\.workers\[0\]\.name/],
  ]
  for (const [pools, words] of problems) {
    const plan = planBridge(kdc({ pools }))
    assert.ok(plan.outcome === 'held' && plan.reason === 'InvalidSpec', JSON.stringify(plan))
    assert.match(plan.message, words)
  }
})

test('planBridge() leaves alone what is being deleted, paused, or not in the cloud', () => {
  assert.equal(planBridge(kdc({ deletionTimestamp: '2026-11-22T10:00:00Z' })).outcome, 'none')
  assert.equal(planBridge(kdc({ pools: [] })).outcome, 'none')
  assert.equal(planBridge(kdc({ annotations: { ...OWNER, 'cluster.x-k8s.io/paused': 'false' } })).outcome, 'held')
})

test('specHash() is the same however fields are ordered, and another for another spec', () => {
  const spec = fc.record({
    cpu: fc.integer({ min: 1000, max: 100_000 }),
    memory: fc.integer({ min: 512, max: 524_288 }),
    cpuCores: fc.integer({ min: 0, max: 64 }),
  })
  fc.assert(
    fc.property(spec, spec, (a, b) => {
      const reversed = Object.fromEntries(Object.entries(a).toReversed()) as typeof a
      assert.equal(specHash(a), specHash(reversed))
      assert.equal(specHash(a) === specHash(b), a.cpu === b.cpu && a.memory === b.memory && a.cpuCores === b.cpuCores)
    }),
  )
})

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { runAbandon } from '@ascribe/controller'
import { ANNOTATIONS, FINALIZERS, MACHINES } from '@ascribe/kinds'
import { createKubeClient, createKubeConnection } from '@ascribe/kube'
import type { KubeClient } from '@ascribe/kube'
import { kube } from './kube/available.ts'
import { installKinds } from './kube/install-kinds.ts'
import { startControlPlane } from './kube/start.ts'
import type { ControlPlane } from './kube/start.ts'

// Giving a machine up takes two people, and it is the API server that tells them apart: by who sends the request, not by what it says.

const { binaries, skip } = await kube()
const KEY = { namespace: 'default', name: 'm' }
const WHY = 'the account was closed, ticket 4711'

let plane: ControlPlane
const closing = new AsyncDisposableStack()

async function clientOf(kubeconfig: string): Promise<KubeClient> {
  return createKubeClient(closing.use(await createKubeConnection({ kubeconfig })))
}

describe('abandon, on a real kube-apiserver with our policies', { skip }, () => {
  before(async () => {
    if (binaries === undefined) return
    const groups = ['ascribe:platform']
    plane = closing.use(
      await startControlPlane({ binaries, users: [{ name: 'anna', groups }, { name: 'boris', groups }, { name: 'tenant' }] }),
    )
    await installKinds(plane)
    const admin = await clientOf(plane.kubeconfig)
    await admin.create(MACHINES, { metadata: { ...KEY, finalizers: [FINALIZERS.machine] }, spec: { cpu: 1000, memory: 512 } })
    await admin.delete(MACHINES, KEY)
    // What a platform's people have; the tenant has it too, and is still refused.
    await admin.create(
      { group: 'rbac.authorization.k8s.io', version: 'v1', plural: 'clusterrolebindings', kind: 'ClusterRoleBinding', namespaced: false },
      {
        metadata: { name: 'people' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
        subjects: ['anna', 'boris', 'tenant'].map((name) => ({ kind: 'User', name, apiGroup: 'rbac.authorization.k8s.io' })),
      },
    )
  })
  after(async () => closing.disposeAsync())

  const as = (user: string, what: Parameters<typeof runAbandon>[0]['what']): ReturnType<typeof runAbandon> =>
    runAbandon({ kubeconfig: plane.kubeconfigOf(user), ...KEY, what })

  test('runAbandon() of a tenant is refused, whatever rights it was given (H-12)', async () => {
    await assert.rejects(as('tenant', { do: 'ask', reason: WHY }), /platform/i)
  })

  test('runAbandon() takes one who asks and another who agrees, and nobody can be both (5.7)', async () => {
    const asked = await as('anna', { do: 'ask', reason: WHY })
    assert.equal(asked.askedBy, 'anna')
    await assert.rejects(as('anna', { do: 'agree' }), /Another person/)
    const anna = await clientOf(plane.kubeconfigOf('anna'))
    const forged = (annotations: object): Promise<unknown> =>
      anna.patch(MACHINES, KEY, { patch: { type: 'merge', body: { metadata: { annotations } } } })
    await assert.rejects(forged({ [ANNOTATIONS.abandonApproved]: 'boris' }))
    await assert.rejects(forged({ [ANNOTATIONS.abandonApproved]: 'anna' }))
    await assert.rejects(forged({ [ANNOTATIONS.abandon]: 'boris', [ANNOTATIONS.abandonApproved]: 'anna' }))
    assert.equal((await as('boris', { do: 'agree' })).agreedBy, 'boris')
    const { metadata } = await anna.get(MACHINES, KEY)
    assert.deepEqual([metadata.annotations?.[ANNOTATIONS.abandon], metadata.annotations?.[ANNOTATIONS.abandonApproved]], ['anna', 'boris'])
    await assert.rejects(
      anna.patch(MACHINES, KEY, { patch: { type: 'merge', body: { metadata: { finalizers: null } } } }),
      'the finalizer is the controller’s to drop',
    )
  })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ANNOTATIONS, FINALIZERS, MACHINES } from '@ascribe/kinds'
import { silentLogger, silentMeters } from '@ascribe/kit'
import { createRegionTable } from '@ascribe/impersonation'
import { Secret } from '@ascribe/service'
import { startSandboxKube } from '@ascribe/sandbox/kube'
import { runAbandon, runImport } from '../src/takeover/open-takeover.ts'
import { openOwnersWorld } from './support/owners-world.ts'

// The commands as a person runs them: a kubeconfig, the real authority, the name that the API server knows them by.

test('runImport() goes through the authority: refused without a binding, imported with one, under the name of who runs it', async () => {
  await using kube = await startSandboxKube()
  await using world = await openOwnersWorld({
    startKube: async () => ({ kubeconfig: kube.kubeconfig, [Symbol.asyncDispose]: async () => {} }),
  })
  await world.namespace('team')
  await world.secret()
  await world.impersonator()
  const key = { namespace: 'team', name: 'old' }
  await world.kube.create(
    { group: 'cluster.x-k8s.io', version: 'v1beta2', plural: 'clusters', kind: 'Cluster', namespaced: true },
    { metadata: { namespace: 'team', name: 'demo' }, spec: {} },
  )
  await world.kube.create(
    {
      group: 'infrastructure.cluster.x-k8s.io',
      version: 'v1beta1',
      plural: 'cloudsigmaclusters',
      kind: 'CloudSigmaCluster',
      namespaced: true,
    },
    { metadata: { namespace: 'team', name: 'demo' }, spec: { region: 'zrh', userEmail: 'user@example.com' } },
  )
  await world.kube.create(MACHINES, {
    metadata: { ...key, finalizers: [FINALIZERS.machine], labels: { 'cluster.x-k8s.io/cluster-name': 'demo' } },
    spec: {
      cpu: 1000,
      memory: 512,
      disks: [{ uuid: '0f6a2f8a-9d41-4c0e-a403-b2c1d0e59b10', device: 'virtio', boot_order: 1, size: 1024 }],
    },
  })
  const options = {
    kubeconfig: kube.kubeconfigOf({ name: 'anna', groups: ['system:masters'] }),
    cloud: {
      legacy: {
        credentials: { username: 'platform@example.com', password: new Secret('platform-password') },
        regions: createRegionTable({ template: world.cloud.apiUrl }),
        isChosen: false,
      },
    },
    audit: async () => {},
    systemNamespace: 'ascribe-system',
    logger: silentLogger,
    meters: silentMeters,
  }
  const request = { isDryRun: false, isUndo: false, namespace: 'team', name: 'old' }
  const [refused] = await runImport(options, request)
  assert.equal(refused?.outcome, 'refused')
  assert.match(refused.notes.join(), /OwnerNotAuthorized/)
  await world.binding('user', { email: 'user@example.com', namespace: 'team' })
  const [row] = await runImport(options, request)
  assert.equal(row?.outcome, 'imported', JSON.stringify(row))
  assert.equal(row.account, 'Owner')
  const { metadata } = await world.kube.get(MACHINES, key)
  assert.match(metadata.annotations?.[ANNOTATIONS.imported] ?? '', /"by":"anna"/)
  assert.equal((await runImport(options, { ...request, isUndo: true }))[0]?.outcome, 'undone')
})

test('runAbandon() acts under the name that the API server knows', async () => {
  await using kube = await startSandboxKube({ namespaces: ['team'] })
  kube.put('cloudsigmamachines', {
    apiVersion: 'infrastructure.cluster.x-k8s.io/v1beta1',
    kind: 'CloudSigmaMachine',
    metadata: { namespace: 'team', name: 'm', finalizers: [FINALIZERS.machine], deletionTimestamp: '2026-11-22T00:00:00Z' },
    spec: { cpu: 1000, memory: 512 },
  })
  const as = (name: string, what: Parameters<typeof runAbandon>[0]['what']): ReturnType<typeof runAbandon> =>
    runAbandon({ kubeconfig: kube.kubeconfigOf({ name, groups: ['ascribe:platform'] }), namespace: 'team', name: 'm', what })
  assert.equal((await as('anna', { do: 'ask', reason: 'the account is closed for good' })).askedBy, 'anna')
  await assert.rejects(as('anna', { do: 'agree' }), /Another person/)
  assert.equal((await as('boris', { do: 'agree' })).agreedBy, 'boris')
})

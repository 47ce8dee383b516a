import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { GROUP, PROVIDER_NAME, manifests } from '@ascribe/kinds'
import { temporaryDir } from '../support/product.ts'
import { clusterApi, helm, kube } from './kube/available.ts'
import { startClusterApi } from './kube/cluster-api.ts'
import { VERSION, openClusterctl, prepareForClusterctl } from './kube/clusterctl.ts'
import type { Clusterctl } from './kube/clusterctl.ts'
import { applyAll, pathOf } from './kube/install-kinds.ts'
import type { Located } from './kube/install-kinds.ts'
import { runTool } from './kube/run-tool.ts'
import { startControlPlane } from './kube/start.ts'
import type { ControlPlane } from './kube/start.ts'

// Helm and clusterctl with our artefacts, on a real API server with the real Cluster API. No pod runs here: what they install is looked at.

const planeAvailable = await kube()
const coreAvailable = await clusterApi()
const helmAvailable = await helm()
const skip = planeAvailable.skip === false ? coreAvailable.skip : planeAvailable.skip
const CHART = join(import.meta.dirname, '..', '..', 'deploy', 'helm', 'ascribe')

const dir = temporaryDir()
let plane: ControlPlane
let clusterctl: Clusterctl
let dispose: (() => Promise<void>) | undefined

before(async () => {
  if (planeAvailable.binaries === undefined || coreAvailable.clusterApi === undefined) return
  await using stack = new AsyncDisposableStack()
  plane = stack.use(await startControlPlane({ binaries: planeAvailable.binaries, controllerManager: true }))
  const flags = ['--feature-gates=ClusterTopology=true']
  stack.use(await startClusterApi(plane, { binaries: coreAvailable.clusterApi, flags }))
  clusterctl = openClusterctl({ binary: coreAvailable.clusterApi.clusterctl, dir: dir.path })
  const held = stack.move()
  dispose = () => held.disposeAsync()
})
after(async () => {
  await dispose?.()
  dir[Symbol.dispose]()
})

type Thing = Located & { readonly metadata: { readonly labels?: Record<string, string>; readonly annotations?: Record<string, string> } }

function objectsOf(text: string): readonly Thing[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Thing | null)
    .filter((object) => object !== null)
}

const runHelm = (...args: readonly string[]): Promise<string> =>
  runTool(helmAvailable.helm, [...args, '--namespace', 'ascribe-system'], { env: { HOME: dir.path, KUBECONFIG: plane.kubeconfig } })
const exists = async (one: Located): Promise<boolean> => (await plane.admin.get(pathOf(one))).status === 200
const DEPLOYMENT: Located = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'ascribe-controller', namespace: 'ascribe-system' },
}
const DEFINITION: Located = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `cloudsigmamachines.${GROUP}` },
}

test('the chart makes the objects that `ascribe manifests` prints', { skip: skip || helmAvailable.skip, timeout: 120_000 }, async () => {
  assert.match(await runHelm('lint', CHART), /0 chart\(s\) failed/)
  const args = [
    '--kube-version',
    'v1.36.4',
    '--set',
    'kdcBridge=true',
    '--set',
    'env.ASCRIBE_NATS_URL=nats://n:4222',
    '--set',
    'args={--sync=30s}',
  ]
  const made = objectsOf(await runHelm('template', 'ascribe', CHART, ...args))
  const wanted = manifests({
    kdcBridge: true,
    env: { ASCRIBE_NATS_URL: 'nats://n:4222' },
    args: ['--sync=30s'],
    imagePullPolicy: 'IfNotPresent',
  })
  const named = (objects: readonly Located[]): ReadonlyMap<string, Located> =>
    new Map(objects.map((object) => [`${object.kind} ${object.metadata.namespace ?? ''} ${object.metadata.name}`, object]))
  const found = named(made)
  for (const [name, object] of named(wanted as readonly Located[])) {
    // Helm makes it with --create-namespace.
    if (object.kind === 'Namespace') continue
    const twin = found.get(name)
    assert.ok(twin, name)
    const { annotations: _annotations, ...metadata } = twin.metadata as Thing['metadata']
    const expected = JSON.parse(JSON.stringify(object)) as Record<string, unknown>
    const got = { ...twin, metadata } as Record<string, unknown>
    if (object.kind === 'PersistentVolumeClaim') delete (got['spec'] as { storageClassName?: unknown }).storageClassName
    assert.deepEqual(got, expected, name)
  }
  assert.equal(found.size, wanted.length - 1)
})

test('helm installs, upgrades and removes it; definitions stay', { skip: skip || helmAvailable.skip, timeout: 240_000 }, async () => {
  await runHelm('install', 'ascribe', CHART, '--create-namespace')
  assert.ok(await exists(DEPLOYMENT))
  assert.ok(await exists(DEFINITION))
  await runHelm('upgrade', 'ascribe', CHART, '--set', 'image=ascribe:0.1.1', '--set', 'kdcBridge=true')
  const { body } = await plane.admin.get(pathOf(DEPLOYMENT))
  assert.match(JSON.stringify(body), /"image":"ascribe:0\.1\.1"/)
  await runHelm('uninstall', 'ascribe')
  assert.equal(await exists(DEPLOYMENT), false)
  assert.ok(await exists(DEFINITION), 'deleting a definition deletes every machine object')
})

test('clusterctl takes our artefacts for a release: components, their contract and variables', { skip, timeout: 120_000 }, async () => {
  const text = await clusterctl(['generate', 'provider', '--infrastructure', `${PROVIDER_NAME}:${VERSION}`])
  const objects = objectsOf(text)
  assert.doesNotMatch(text, /\$\{/)
  assert.equal(objects.length, manifests().length)
  for (const { kind, metadata } of objects)
    assert.equal(metadata.labels?.['cluster.x-k8s.io/provider'], `infrastructure-${PROVIDER_NAME}`, kind)
})

test('C-50: clusterctl init installs the provider beside the core', { skip, timeout: 240_000 }, async () => {
  await prepareForClusterctl(plane)
  await clusterctl([
    'init',
    '--infrastructure',
    `${PROVIDER_NAME}:${VERSION}`,
    '--bootstrap',
    '-',
    '--control-plane',
    '-',
    '--kubeconfig',
    plane.kubeconfig,
  ])
  assert.ok(await exists(DEPLOYMENT))
  const { body } = await plane.admin.get(pathOf(DEFINITION))
  const { metadata } = body as Thing
  assert.equal(metadata.labels?.['cluster.x-k8s.io/v1beta2'], 'v1beta1')
  assert.equal(metadata.labels?.['clusterctl.cluster.x-k8s.io'], '')
})

test('the templates of clusterctl are objects that the servers of Cluster API take', { skip, timeout: 120_000 }, async () => {
  const from = join(import.meta.dirname, '..', '..', 'deploy', 'clusterctl')
  await applyAll(plane.admin, [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'tenant-a' } }])
  let looked = 0
  for (const file of ['cluster-template.yaml', 'clusterclass-ascribe.yaml', 'cluster-template-topology.yaml']) {
    const args = [
      '--from',
      join(from, file),
      '--kubernetes-version',
      'v1.36.4',
      '--target-namespace',
      'tenant-a',
      '--kubeconfig',
      plane.kubeconfig,
    ]
    const objects = objectsOf(await clusterctl(['generate', 'cluster', 'demo', ...args]))
    assert.ok(objects.length > 0)
    // The kinds of the kubeadm providers are not installed here.
    const known = objects.filter(({ apiVersion }) => !/^(bootstrap|controlplane)\./.test(apiVersion))
    for (const object of known) {
      const answer = await plane.admin.apply(`${pathOf(object)}?fieldValidation=Strict&dryRun=All`, object)
      // A Cluster of a class is looked at together with its class, which is only tried here.
      if (file === 'cluster-template-topology.yaml') assert.doesNotMatch(answer.text, /strict decoding|unknown field/)
      else assert.ok(answer.status < 300, `${file} ${object.kind}: ${answer.text}`)
      looked += 1
    }
  }
  assert.ok(looked >= 9, String(looked))
})

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { readAccessLog } from '@ascribe/ledger'
import { OWNER_BINDINGS, crds } from '@ascribe/kinds'
import { createKubeClient, createKubeConnection } from '@ascribe/kube'
import type { KubeConnection } from '@ascribe/kube'
import { startSandboxKube } from '@ascribe/sandbox/kube'
import type { SandboxKube } from '@ascribe/sandbox/kube'
import { startRig } from './login-support.ts'
import type { LoginRig } from './login-support.ts'
import { createKey } from './support.ts'

const ADA_IN_THE_CLOUD = '0c7b1a52-13b5-4a0f-9a43-6f3a4f1a2b3c'
const DEFINITIONS = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
}
const KDC = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'kdcclusters.k8s.kube-dc.com' },
  spec: {
    group: 'k8s.kube-dc.com',
    names: { kind: 'KdcCluster', listKind: 'KdcClusterList', plural: 'kdcclusters', singular: 'kdccluster' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
}

let kube: SandboxKube
let connection: KubeConnection
let rig: LoginRig
const asked: { readonly email: string; readonly requester: string }[] = []

before(async () => {
  kube = await startSandboxKube()
  connection = await createKubeConnection({ kubeconfig: kube.kubeconfig })
  const client = createKubeClient(connection)
  for (const definition of [...crds(), KDC]) await client.create(DEFINITIONS, definition as { metadata: object })
  rig = await startRig({
    hasTrail: true,
    clusters: {
      kube: client,
      impersonator: 'default',
      installedIn: 'ascribe-system',
      discover: async ({ email, requester }) => {
        asked.push({ email, requester })
        return { userUUID: ADA_IN_THE_CLOUD }
      },
    },
  })
  const namespace = (name: string, organization: string): object => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { 'ascribe.dev/organization': organization } },
  })
  kube.put('namespaces', namespace('team-acme', rig.acme))
  kube.put('namespaces', namespace('team-beta', rig.beta))
})
after(async () => {
  await rig[Symbol.asyncDispose]()
  await connection[Symbol.asyncDispose]()
  await kube[Symbol.asyncDispose]()
})

type Answer = { readonly status: number; readonly body: Readonly<Record<string, string>> }

async function post(authorization: string, body: object): Promise<Answer> {
  const reply = await fetch(`${rig.url}/v1/clusters`, {
    method: 'POST',
    headers: { authorization: `Bearer ${authorization}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { status: reply.status, body: (await reply.json()) as Answer['body'] }
}

const cluster = (name: string, more: object = {}): object => ({
  namespace: 'team-acme',
  name,
  region: 'zrh',
  spec: { workers: [] },
  ...more,
})

test('createCluster() makes binding, rights and KdcCluster of whoever asks, with the token as evidence, and leaves its lines', async () => {
  const { status, body } = await post(rig.issuer.userToken('ada'), cluster('one', { annotations: { 'example.com/cost-centre': '7' } }))
  assert.equal(status, 201, JSON.stringify(body))
  assert.equal(body['owner'], ADA_IN_THE_CLOUD)
  const binding = kube.get(OWNER_BINDINGS.plural, body['binding'] ?? '') as {
    spec: { evidence: Record<string, unknown>; namespaceRef: { uid: string } }
  }
  const { evidence, namespaceRef } = binding.spec
  assert.deepEqual([evidence['type'], evidence['issuer']], ['OIDC', rig.issuer.issuer])
  assert.match(String(evidence['hash']), /^sha256:[0-9a-f]{64}$/)
  assert.ok(Number(evidence['iat']) > 0)
  assert.equal(namespaceRef.uid, (kube.get('namespaces', 'team-acme') as { metadata: { uid: string } }).metadata.uid)
  assert.equal(kube.list('rolebindings', 'team-acme').length, 1)
  const made = kube.get('kdcclusters', 'team-acme/one') as { metadata: { annotations: Record<string, string> } }
  assert.deepEqual(made.metadata.annotations, { 'example.com/cost-centre': '7', 'cloudsigma.com/owner-email': asked.at(-1)?.email })
  // A second cluster: the same binding.
  const again = await post(rig.issuer.userToken('ada'), cluster('two'))
  assert.deepEqual([again.status, again.body['binding']], [201, body['binding']])
  assert.equal((await post(rig.issuer.userToken('ada'), cluster('two'))).body['code'], 'conflict')
  const log = await readAccessLog(rig.db, { organizationId: rig.acme })
  const lines =
    log === 'bad_cursor' ? [] : log.entries.filter(({ path, detail }) => path === '/v1/clusters' || detail?.['cluster'] === 'one')
  assert.ok(lines.some(({ kind }) => kind === 'write') && lines.some(({ detail }) => detail?.['owner'] === ADA_IN_THE_CLOUD))
})

test('createCluster() refuses a forged owner, and what is ours to set', async () => {
  const before = asked.length
  for (const [annotations, words] of [
    [{ 'cloudsigma.com/owner-email': 'victim@example.com' }, /another owner/],
    [{ 'kube-dc.com/owner-email': 'victim@example.com' }, /another owner/],
    [{ 'CloudSigma.com/owner-email': 'victim@example.com' }, /another owner/],
    [{ 'kube-dc.com/Owner-Email': 'ada@example.com' }, /another owner/],
    [{ 'ascribe.dev/fallback': 'PlatformAccount' }, /platform alone/],
    [{ 'Ascribe.dev/fallback': 'PlatformAccount' }, /platform alone/],
  ] as const) {
    const { status, body } = await post(rig.issuer.userToken('ada'), cluster('forged', { annotations }))
    assert.equal(status, 400)
    assert.match(body['message'] ?? '', words)
  }
  assert.equal(kube.get('kdcclusters', 'team-acme/forged'), undefined)
  assert.equal(asked.length, before, 'nobody was asked for')
})

test('createCluster() takes a verified address only, an admin only, a person only, and a namespace of the organization only', async () => {
  const before = asked.length
  const unverified = await post(rig.issuer.userToken('ada', { faults: { emailNotVerified: true } }), cluster('no'))
  assert.deepEqual([unverified.status, unverified.body['code']], [403, 'insufficient_role'])
  assert.match(unverified.body['message'] ?? '', /verified/)
  assert.equal((await post(rig.issuer.userToken('vic'), cluster('no'))).status, 403)
  const { key } = await createKey(rig.db, rig.acme, ['billing:read'])
  assert.equal((await post(key, cluster('no'))).status, 403)
  for (const namespace of ['team-beta', 'default', 'none']) {
    const reply = await post(rig.issuer.userToken('ada'), cluster('no', { namespace }))
    assert.deepEqual([namespace, reply.status, reply.body['code']], [namespace, 404, 'not_found'])
  }
  assert.equal(asked.length, before, 'nobody was asked for')
  assert.equal(kube.list('kdcclusters').filter((each) => JSON.stringify(each).includes('"no"')).length, 0)
})

test('createCluster() says that there is no management cluster, or that it does not answer', async () => {
  await using bare = await startRig({ hasTrail: true })
  const reply = await fetch(`${bare.url}/v1/clusters`, {
    method: 'POST',
    headers: { authorization: `Bearer ${bare.issuer.userToken('ada')}`, 'content-type': 'application/json' },
    body: JSON.stringify(cluster('none')),
  })
  assert.equal(reply.status, 503)
  assert.match(((await reply.json()) as { message: string }).message, /clusters\.kubeconfig/)
  await kube.stop()
  const { status, body } = await post(rig.issuer.userToken('ada'), cluster('three'))
  await kube.start()
  assert.deepEqual([status, body['code']], [503, 'unavailable'])
})

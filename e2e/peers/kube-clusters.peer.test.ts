import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CLUSTERS, OWNER_BINDINGS } from '@ascribe/kinds'
import { NAMESPACES } from '@ascribe/kube'
import type { KubeObject, Resource } from '@ascribe/kube'
import { startIssuer } from '@ascribe/sandbox/issuer'
import type { SandboxIssuer } from '@ascribe/sandbox/issuer'
import { KDC_CLUSTERS, OTHER, USER, eventually, openControllerWorld } from '../support/controller-world.ts'
import type { ControllerWorld } from '../support/controller-world.ts'
import { ask, askLines, start } from '../support/process.ts'
import type { Running } from '../support/process.ts'
import { kube } from './kube/available.ts'
import { installKinds } from './kube/install-kinds.ts'
import { startControlPlane } from './kube/start.ts'

// `POST /v1/clusters` with everything real but the two clouds: `ascribe api` as a process that has the rights of its ServiceAccount and no
// others, on a real kube-apiserver with all policies; who somebody is in the cloud it learns from the minter.

const { binaries, skip } = await kube()
const NAMESPACE = 'user-project'
/** Of the sandbox issuer's `ada`. */
const EMAIL = 'ada@demo.example'
const ROLE_BINDINGS: Resource<KubeObject & { readonly subjects?: readonly { readonly name: string }[] }> = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  plural: 'rolebindings',
  kind: 'RoleBinding',
  namespaced: true,
}

let world: ControllerWorld
let issuer: SandboxIssuer
let api: Running
let url: string
let data: string
/** In the cloud. */
let ada: string
let dispose: (() => Promise<void>) | undefined

before(async () => {
  if (binaries === undefined) return
  await using stack = new AsyncDisposableStack()
  const plane = stack.use(await startControlPlane({ binaries, controllerManager: true }))
  await installKinds(plane, { kdcBridge: true })
  const { kubeconfig: controllerKubeconfig } = await plane.asServiceAccount('ascribe-system', 'ascribe-controller')
  const { kubeconfig } = await plane.asServiceAccount('ascribe-system', 'ascribe-api')
  // It is ended above, and not by the world.
  const held: AsyncDisposable = { [Symbol.asyncDispose]: async () => {} }
  const { kubeconfig: minterKubeconfig } = await plane.asServiceAccount('ascribe-system', 'ascribe-minter')
  world = stack.use(
    await openControllerWorld(async () => ({ kubeconfig: plane.kubeconfig, controllerKubeconfig, minterKubeconfig, ...held })),
  )
  issuer = stack.use(await startIssuer())
  data = world.dir()
  ada = world.userOf(USER)
  world.cloud.changeUser(USER, { email: EMAIL })
  const { id } = await ask<{ id: string }>(['orgs', 'create', '--name', 'Acme', '--data', data])
  for (const username of ['ada', 'max', 'vic']) issuer.setOrganizations(username, [id])
  for (const [name, organization] of [
    [NAMESPACE, id],
    ['somebody-else', '01d730c7-5a61-4d7a-9f3c-63ed01f34ebf'],
  ] as const)
    await world.kube.create(NAMESPACES, { metadata: { name, labels: { 'ascribe.dev/organization': organization } } })
  const oidc = ['--oidc-issuer', issuer.issuer, '--oidc-audience', issuer.audience, '--oidc-role-claim', 'ascribe_role']
  api = stack.use(
    start(['api', '--port', '0', '--metrics-port', '0', '--data', data, '--json', ...oidc], {
      env: {
        ASCRIBE_CLUSTERS_KUBECONFIG: kubeconfig,
        ASCRIBE_CLUSTERS_IMPERSONATOR: 'prod',
        CLOUDSIGMA_MINTER_SOCKET: world.minter?.socket ?? '',
      },
    }),
  )
  const line = await api.firstLine
  if (line === undefined) throw new Error(`The API did not start: ${api.stderr()}`)
  url = (JSON.parse(line) as { readonly api: string }).api
  const owned = stack.move()
  dispose = () => owned.disposeAsync()
})
after(async () => dispose?.())

type Answer = { readonly status: number; readonly body: Readonly<Record<string, string>> }

async function post(username: string, body: object, options: Parameters<SandboxIssuer['userToken']>[1] = {}): Promise<Answer> {
  const reply = await fetch(`${url}/v1/clusters`, {
    method: 'POST',
    headers: { authorization: `Bearer ${issuer.userToken(username, options)}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { status: reply.status, body: (await reply.json()) as Answer['body'] }
}

const cluster = (name: string, more: object = {}): object => ({
  namespace: NAMESPACE,
  name,
  region: 'zrh',
  spec: {
    version: 'v1.34.0',
    workers: [
      {
        name: 'workers',
        infrastructureProvider: 'cloudsigma',
        cpuCores: 2,
        memory: '4Gi',
        cloudsigma: { imageUUID: world.image, region: 'zrh', diskSizeGB: 20, nics: [{ public: true }] },
      },
    ],
  },
  ...more,
})

const impersonations = (): number => world.cloud.calls().filter(({ path }) => path.includes('impersonate')).length
const clusterNames = async (): Promise<readonly string[]> =>
  (await world.kube.list(KDC_CLUSTERS)).items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).toSorted()

test(
  'H-1: a forged owner, an unverified address, a viewer and a foreign namespace are refused; the cloud is not asked',
  { skip },
  async () => {
    const forged = { 'cloudsigma.com/owner-email': OTHER }
    const replies = [
      await post('ada', cluster('no', { annotations: forged })),
      await post('ada', cluster('no', { annotations: { 'kube-dc.com/owner-email': OTHER } })),
      await post('ada', cluster('no', { annotations: { 'ascribe.dev/fallback': 'PlatformAccount' } })),
      await post('ada', cluster('no'), { faults: { emailNotVerified: true } }),
      await post('vic', cluster('no')),
      await post('ada', cluster('no', { namespace: 'somebody-else' })),
      await post('ada', cluster('no', { namespace: 'kube-system' })),
    ]
    assert.deepEqual(
      replies.map(({ status }) => status),
      [400, 400, 400, 403, 403, 404, 404],
    )
    assert.deepEqual([await clusterNames(), (await world.kube.list(OWNER_BINDINGS)).items, impersonations()], [[], [], 0])
  },
)

test('somebody whom the cloud does not know gets nothing, and nothing is left behind', { skip }, async () => {
  const { status, body } = await post('max', cluster('unknown'))
  assert.equal(status, 503, JSON.stringify(body))
  assert.match(body['message'] ?? '', /does not say who the owner is/)
  assert.deepEqual([await clusterNames(), (await world.kube.list(OWNER_BINDINGS)).items], [[], []])
})

test(
  'whoever asks becomes the owner: binding with the token as evidence, the right, the KdcCluster with the annotation',
  { skip },
  async () => {
    const { status, body } = await post('ada', cluster('one', { annotations: { 'example.com/cost-centre': '7' } }))
    assert.equal(status, 201, `${JSON.stringify(body)}\n${api.stderr()}`)
    assert.equal(body['owner'], ada, 'who the address is was said by the cloud')
    const name = body['binding'] ?? ''
    const { spec } = await world.kube.get(OWNER_BINDINGS, { name })
    const namespace = await world.kube.get(NAMESPACES, { name: NAMESPACE })
    assert.deepEqual(spec.namespaceRef, { name: NAMESPACE, uid: namespace.metadata.uid })
    assert.deepEqual([spec.subject.userUUID, spec.impersonatorRef.name], [ada, 'prod'])
    assert.deepEqual([spec.evidence.type, spec.evidence.issuer], ['OIDC', issuer.issuer])
    const [right, ...others] = (await world.kube.list(ROLE_BINDINGS, { namespace: NAMESPACE })).items
    assert.deepEqual([others, right?.subjects?.map((each) => each.name)], [[], ['ascribe-controller']])
    const made = await world.kube.get(KDC_CLUSTERS, { namespace: NAMESPACE, name: 'one' })
    assert.equal(made.metadata.uid, body['uid'])
    assert.deepEqual(made.metadata.annotations, {
      'example.com/cost-centre': '7',
      'cloudsigma.com/owner-email': EMAIL,
    })
    // The token by which it was found out is in the trail of the minter, which alone could get it (H-24).
    const [trail] = await ask<readonly { readonly owner: string; readonly discoveries: number }[]>([
      'owners',
      'inspect',
      '--owner',
      ada,
      '--data',
      world.minter?.data ?? '',
    ])
    assert.deepEqual([trail?.owner, trail?.discoveries], [ada, 1])
  },
)

test('one binding whoever asks how often, and one cluster of a name', { skip }, async () => {
  // Tokens of one owner are rationed: a burst waits for its turn, and nobody is sent away for it.
  const burst = ['two', 'two', 'three', 'one', 'two', 'three', 'one', 'two', 'three', 'one', 'two', 'three']
  const together = await Promise.all(burst.map((name) => post('ada', cluster(name))))
  const count = (status: number): number => together.filter((each) => each.status === status).length
  assert.deepEqual([count(201), count(409)], [2, burst.length - 2], JSON.stringify(together))
  const again = await post('ada', cluster('one'))
  assert.deepEqual([again.status, again.body['code']], [409, 'conflict'], JSON.stringify(again.body))
  assert.deepEqual(
    await clusterNames(),
    ['one', 'three', 'two'].map((name) => `${NAMESPACE}/${name}`),
  )
  assert.equal((await world.kube.list(OWNER_BINDINGS)).items.length, 1)
  assert.equal((await world.kube.list(ROLE_BINDINGS, { namespace: NAMESPACE })).items.length, 1)
})

test('a controller makes of it a CloudSigmaCluster in the name of that owner, pinned to the account of the binding', { skip }, async () => {
  await using controller = await world.controller(['--kdc-bridge', '--sync', '1s', '--list-grace', '1s'])
  const key = { namespace: NAMESPACE, name: 'one' }
  const bridged = await eventually(
    () => world.kube.tryGet(CLUSTERS, key),
    () => controller.stderr(),
  )
  assert.equal(bridged.spec.userEmail, EMAIL)
  // `provisioned` waits for the Cluster of kube-dc's manager, who is not here; whose it is does not.
  const pinned = await eventually(
    async () => (await world.kube.get(CLUSTERS, key)).metadata.annotations?.['ascribe.dev/account'],
    () => controller.stderr(),
  )
  assert.equal((JSON.parse(pinned) as { readonly userUUID: string }).userUUID, ada)
})

test('what was done is in the log of the organization, and no token anywhere', { skip }, async () => {
  type Line = { readonly kind: string; readonly detail?: Readonly<Record<string, unknown>> }
  const exported = await askLines<Line>(['audit', 'export', '--org', 'Acme', '--data', data])
  const text = JSON.stringify(exported)
  assert.match(text, new RegExp(ada))
  for (const output of [text, api.stderr()]) assert.doesNotMatch(output, /kcs-secret|eyJ[A-Za-z0-9]|Bearer /)
})

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createMinterChannel } from '@ascribe/impersonation'
import { openControllerWorld } from '../support/controller-world.ts'
import { minterSuite } from '../support/minter-suite.ts'
import { kube } from './kube/available.ts'
import { boundToken } from './kube/bound-token.ts'
import { applyAll, installKinds } from './kube/install-kinds.ts'
import { startControlPlane } from './kube/start.ts'
import type { ControlPlane } from './kube/start.ts'
import { freePort } from './support/free-port.ts'

// The minter as it is installed: with the rights of its own ServiceAccount on a real kube-apiserver, over TLS, asked with tokens that are bound to
// pods. The controller has its own rights and no others.

const { binaries, skip } = await kube()
const HOME = 'ascribe-system'
let plane: ControlPlane
let place = ''

type Published = { readonly data?: Readonly<Record<string, string>> }

minterSuite(
  async () => {
    assert.ok(binaries)
    await using stack = new AsyncDisposableStack()
    plane = stack.use(await startControlPlane({ binaries, controllerManager: true, users: [{ name: 'tenant', groups: ['tenants'] }] }))
    await installKinds(plane)
    const { kubeconfig: controllerKubeconfig } = await plane.asServiceAccount(HOME, 'ascribe-controller')
    const { kubeconfig } = await plane.asServiceAccount(HOME, 'ascribe-minter')
    const held: AsyncDisposable = { [Symbol.asyncDispose]: async () => {} }
    const world = stack.use(await openControllerWorld(async () => ({ kubeconfig: plane.kubeconfig, controllerKubeconfig, ...held })))
    const token = await boundToken(plane, { namespace: HOME, account: 'ascribe-controller', audience: 'ascribe-minter' })
    const tokenFile = join(plane.dir, 'minter-token')
    writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 })
    // Started again it has the port that the others were told.
    const port = await freePort()
    place = `https://127.0.0.1:${port}`
    const owned = stack.move()
    return {
      world,
      minterArgs: ['--kubeconfig', kubeconfig, '--port', String(port)],
      controllerEnv: (minter) => ({ CLOUDSIGMA_MINTER_URL: minter, CLOUDSIGMA_MINTER_TOKEN_FILE: tokenFile }),
      channel: (minter) => createMinterChannel({ url: minter, ca: certificate, bearer: async () => token }),
      caller: `system:serviceaccount:${HOME}:ascribe-controller`,
      async assertSecretUnread() {
        const secret = `/api/v1/namespaces/${HOME}/secrets/cloudsigma-impersonation`
        const statusOf = async (account: string): Promise<number> =>
          (await (await plane.asServiceAccount(HOME, account)).api.get(secret)).status
        assert.deepEqual(
          [await statusOf('ascribe-controller'), await statusOf('ascribe-api'), await statusOf('ascribe-minter')],
          [403, 403, 200],
        )
      },
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    }
  },
  { skip },
)

async function certificate(): Promise<string> {
  const { body } = await plane.admin.get(`/api/v1/namespaces/${HOME}/configmaps/ascribe-minter`)
  return (body as Published).data?.['ca.crt'] ?? ''
}

test('H-24: the minter knows its callers by tokens of pods for it alone, and each may ask its own question', { skip }, async () => {
  const status = async (token: string, path: string): Promise<number> => {
    using channel = createMinterChannel({ url: place, ca: certificate, bearer: async () => token })
    return (await channel.post(path, {}, AbortSignal.timeout(20_000))).status
  }
  const of = (account: string, audience = 'ascribe-minter'): Promise<string> => boundToken(plane, { namespace: HOME, account, audience })
  const [controller, api] = [await of('ascribe-controller'), await of('ascribe-api')]
  // 403: it knows who asks, and the question is none, or not for them.
  assert.deepEqual([await status(controller, '/v1/token'), await status(controller, '/v1/discover')], [403, 403])
  assert.deepEqual([await status(api, '/v1/token'), await status(api, '/v1/discover')], [403, 403])
  assert.equal(await status(await of('ascribe-controller', 'https://kubernetes.default.svc'), '/v1/token'), 401, 'meant for somebody else')
  assert.equal(await status(await of('ascribe-minter'), '/v1/token'), 401, 'no caller')
  const elsewhere = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'ascribe-controller', namespace: 'default' } }
  await applyAll(plane.admin, [elsewhere])
  const foreign = await boundToken(plane, { namespace: 'default', account: 'ascribe-controller', audience: 'ascribe-minter' })
  assert.equal(await status(foreign, '/v1/token'), 401, 'of the same name, in another namespace')
  assert.equal(await status('nonsense', '/v1/token'), 401)
})

test(
  'H-24: our own service accounts cannot get around it: no binding is written, no role given, no certificate put in its place',
  { skip },
  async () => {
    const { api: controller } = await plane.asServiceAccount(HOME, 'ascribe-controller')
    const { api: backend } = await plane.asServiceAccount(HOME, 'ascribe-api')
    const { api: minter } = await plane.asServiceAccount(HOME, 'ascribe-minter')
    const bindings = '/apis/infrastructure.cluster.x-k8s.io/v1beta1/cloudsigmaownerbindings'
    const { body } = await plane.admin.get(`${bindings}/team-a-owner`)
    const { spec } = body as { readonly spec: object }
    const forged = {
      apiVersion: 'infrastructure.cluster.x-k8s.io/v1beta1',
      kind: 'CloudSigmaOwnerBinding',
      metadata: { name: 'forged' },
      spec,
    }
    assert.equal((await controller.post(bindings, forged)).status, 403)
    assert.equal((await controller.apply(`${bindings}/forged`, forged)).status, 403)
    for (const change of [{ limits: { maxServers: 1000 } }, { expiresAt: '2099-01-01T00:00:00Z' }])
      assert.equal((await controller.patch(`${bindings}/team-a-owner`, { spec: change })).status, 403, JSON.stringify(change))
    // Metadata is its business: the finalizer is there.
    assert.equal((await controller.patch(`${bindings}/team-a-owner`, { metadata: { labels: { a: 'b' } } })).status, 200)
    const config = `/api/v1/namespaces/${HOME}/configmaps/ascribe-minter`
    for (const api of [controller, backend]) assert.equal((await api.patch(config, { data: { 'ca.crt': 'mine' } })).status, 403)
    assert.equal((await backend.get(config)).status, 200)
    const role = (namespace: string, more: object): object => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'mine', namespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'ascribe-bound-namespace' },
      subjects: [{ kind: 'ServiceAccount', name: 'ascribe-controller', namespace: HOME }],
      ...more,
    })
    const roles = (namespace: string): string => `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`
    const itself = { subjects: [{ kind: 'ServiceAccount', name: 'ascribe-api', namespace: HOME }] }
    assert.equal((await backend.post(roles('team-a'), role('team-a', itself))).status, 403, 'to itself')
    assert.equal((await backend.post(roles(HOME), role(HOME, {}))).status, 403, 'in the namespace with the client Secret')
    assert.equal((await plane.admin.post(roles(HOME), role(HOME, {}))).status, 403, 'nor does anybody else by mistake')
    assert.equal((await backend.post(roles('kube-system'), role('kube-system', {}))).status, 403, 'where the cluster has its own Secrets')
    assert.equal((await backend.post(roles('team-a'), role('team-a', {}))).status, 201)
    // They go with their binding: the API takes none away, its own or others'.
    assert.equal((await backend.delete(`${roles('team-a')}/mine`)).status, 403)
    assert.equal((await backend.get(roles('team-a'))).status, 403)
    for (const path of [bindings, `${bindings}/team-a-owner`]) assert.equal((await minter.post(path, forged)).status >= 400, true)
    assert.equal(
      (await minter.get('/apis/infrastructure.cluster.x-k8s.io/v1beta1/cloudsigmamachines')).status,
      403,
      'it reads nothing that tenants write',
    )
  },
)

test(
  'H-24: the controller never makes a Secret that the API server fills with the token of the minter, also where its own is not there yet',
  { skip },
  async () => {
    const { api: controller } = await plane.asServiceAccount(HOME, 'ascribe-controller')
    const secrets = `/api/v1/namespaces/${HOME}/secrets`
    const one = (name: string, more: object): object => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: HOME }, ...more })
    const disguised = {
      metadata: { name: 'ascribe-controller-key', annotations: { 'kubernetes.io/service-account.name': 'ascribe-minter' } },
      type: 'kubernetes.io/service-account-token',
    }
    const key = await plane.admin.get(`${secrets}/ascribe-controller-key`)
    await plane.admin.delete(`${secrets}/ascribe-controller-key`)
    try {
      assert.equal((await controller.post(secrets, one('ascribe-controller-key', disguised))).status, 403)
      assert.equal((await controller.post(secrets, one('another', { type: 'Opaque' }))).status, 403)
      assert.equal((await controller.post(secrets, one('ascribe-controller-key', { type: 'Opaque' }))).status, 201)
    } finally {
      await plane.admin.delete(`${secrets}/ascribe-controller-key`)
      const { data, type } = key.body as { readonly data?: object; readonly type?: string }
      if (key.status === 200) await plane.admin.post(secrets, one('ascribe-controller-key', { data, type }))
    }
  },
)

test('whose people may make clusters in a namespace is said by the platform: the label is nobody else’s to write', { skip }, async () => {
  const allowed = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'tenants' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'tenants' }],
  }
  await applyAll(plane.admin, [allowed])
  const tenant = plane.as('tenant')
  const labelled = (name: string, labels: object): object => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } })
  const mine = { 'ascribe.dev/organization': '01d730c7-5a61-4d7a-9f3c-63ed01f34ebf' }
  const refused = await tenant.post('/api/v1/namespaces', labelled('grabbed', mine))
  assert.equal(refused.status, 403)
  assert.match(refused.text, /is set by the platform only/)
  assert.equal((await tenant.post('/api/v1/namespaces', labelled('plain', { a: 'b' }))).status, 201)
  assert.equal((await tenant.patch('/api/v1/namespaces/plain', { metadata: { labels: mine } })).status, 403)
  assert.equal((await plane.admin.patch('/api/v1/namespaces/plain', { metadata: { labels: mine } })).status, 200)
  assert.equal((await tenant.patch('/api/v1/namespaces/plain', { metadata: { labels: { c: 'd' } } })).status, 200, 'other labels are his')
  assert.equal((await tenant.patch('/api/v1/namespaces/plain', { metadata: { labels: { 'ascribe.dev/organization': null } } })).status, 403)
})

import assert from 'node:assert/strict'
import type { Answer, Api } from './api.ts'
import { applyAll, collectionOf, installKinds, pathOf } from './install-kinds.ts'
import type { Located } from './install-kinds.ts'
import { KDC_CLUSTERS_DEFINITION } from './kdc-kind.ts'
import { NAMESPACE, kdc } from './policy-objects.ts'
import { startControlPlane } from './start.ts'
import { until } from '../support/until.ts'

/** Everybody who writes to an API server where our policies and roles are in force. */
export type PolicyWorld = AsyncDisposable & {
  /** Of `system:masters`. */
  readonly admin: Api
  /** May do everything with our kinds, in the cluster: RBAC is not what refuses. */
  readonly tenant: Api
  /** Two people of the group `ascribe:platform`. */
  readonly paula: Api
  readonly pete: Api
  readonly controller: Api
  readonly backend: Api
  readonly minter: Api
}

export async function startPolicyWorld(binaries: Parameters<typeof startControlPlane>[0]['binaries']): Promise<PolicyWorld> {
  const users = [{ name: 'tenant' }, { name: 'paula', groups: ['ascribe:platform'] }, { name: 'pete', groups: ['ascribe:platform'] }]
  const plane = await startControlPlane({ binaries, users, controllerManager: true })
  try {
    await installKinds(plane)
    await applyAll(plane.admin, [
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
      KDC_CLUSTERS_DEFINITION,
      allRights('tenant', { kind: 'User', name: 'tenant' }),
      role('tenant'),
      // The platform's role does not speak of kube-dc's kind.
      allRights('platform-kdc', { kind: 'Group', name: 'ascribe:platform' }),
    ] as readonly Located[])
    const serviceAccount = async (name: string): Promise<Api> => (await plane.asServiceAccount('ascribe-system', name)).api
    const tenant = plane.as('tenant')
    const world = {
      admin: plane.admin,
      tenant,
      paula: plane.as('paula'),
      pete: plane.as('pete'),
      controller: await serviceAccount('ascribe-controller'),
      backend: await serviceAccount('ascribe-api'),
      minter: await serviceAccount('ascribe-minter'),
      [Symbol.asyncDispose]: () => plane[Symbol.asyncDispose](),
    }
    await until(async () => (await tenant.get(collectionOf(kdc({})))).status === 200, 'the tenant has rights, and KdcCluster is served')
    return world
  } catch (error) {
    await plane[Symbol.asyncDispose]()
    throw error
  }
}

function role(name: string): object {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name },
    rules: [{ apiGroups: ['infrastructure.cluster.x-k8s.io', 'k8s.kube-dc.com'], resources: ['*'], verbs: ['*'] }],
  }
}

function allRights(name: string, subject: { readonly kind: string; readonly name: string }): object {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'tenant' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', ...subject }],
  }
}

export const create = (api: Api, one: Located): Promise<Answer> => api.post(collectionOf(one), one)

export const annotate = (
  api: Api,
  { on, annotations }: { readonly on: Located; readonly annotations: Record<string, string | null> },
): Promise<Answer> => api.patch(pathOf(on), { metadata: { annotations } })

export function assertDone({ status, text }: Answer): void {
  assert.ok(status === 200 || status === 201, text)
}

export function assertRefused({ status, text }: Answer, words: RegExp): void {
  assert.ok(status === 403 || status === 422, `${status}: ${text}`)
  assert.match(text, words)
}

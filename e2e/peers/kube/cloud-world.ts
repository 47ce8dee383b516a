import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { API_VERSION, boundNamespaceRights } from '@ascribe/kinds'
import { startSandboxCloud } from '@ascribe/sandbox'
import type { SandboxCloud } from '@ascribe/sandbox'
import { startMinter } from '../../support/controller-world.ts'
import { start } from '../../support/process.ts'
import type { Running } from '../../support/process.ts'
import { temporaryDir } from '../../support/product.ts'
import { applyAll, collectionOf, installKinds, pathOf } from './install-kinds.ts'
import type { Located } from './install-kinds.ts'
import type { ControlPlane } from './start.ts'

const CLIENT = { id: 'kubernetes_cluster_service', secret: 'kcs-secret' }
export const OWNER = 'user@example.com'
export const REGION = 'zrh'
const KUBELET_POLL_MS = 100

export type CloudWorldOptions = {
  /** One that is there already, of another management cluster. Default: a new one. */
  readonly cloud?: SandboxCloud
  /** With `--kdc-bridge`, on a server that knows KdcCluster. */
  readonly kdcBridge?: boolean
}

/** A real API server with our kinds, a sandbox cloud, with controller and minter between them, as processes with a ServiceAccount each. */
export type CloudWorld = AsyncDisposable & {
  readonly plane: ControlPlane
  readonly cloud: SandboxCloud
  readonly controller: Running
  /** Lets the namespace act for the owner, as the platform does: binding, then its right. */
  bind(namespace: string): Promise<void>
  readonly owner: { readonly uuid: string; readonly image: string; readonly vlan: string }
  /** What the owner sees in the account. */
  asOwner(list: 'servers/detail' | 'drives/detail' | 'libdrives' | 'vlans'): Promise<readonly OwnedThing[]>
}

export type OwnedThing = {
  readonly uuid: string
  readonly name?: string
  readonly status?: string
  readonly owner: { readonly uuid: string } | null
}

export async function openCloudWorld(plane: ControlPlane, options: CloudWorldOptions = {}): Promise<CloudWorld> {
  await using stack = new AsyncDisposableStack()
  const { kdcBridge = false } = options
  await installKinds(plane, { kdcBridge })
  const knobs = { listLagMs: 200, cloneMs: 300, startMs: 300, stopMs: 200, shutdownMs: 200 }
  const cloud = options.cloud ?? stack.use(await startSandboxCloud({ seed: 8, knobs }))
  cloud.changeUser(OWNER, { paid: 1_000_000 })
  const user = cloud.users.find(({ email }) => email === OWNER)
  if (user === undefined) throw new Error(`The sandbox has no ${OWNER}`)
  const host = cloud.apiUrl.replace('{region}', REGION)
  await applyAll(plane.admin, [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'cloudsigma-impersonation', namespace: 'ascribe-system' },
      stringData: { 'client-id': CLIENT.id, 'client-secret': CLIENT.secret },
    } as Located,
    {
      apiVersion: API_VERSION,
      kind: 'CloudSigmaImpersonator',
      metadata: { name: 'cloudsigma' },
      spec: { issuer: cloud.issuer, regions: [{ name: REGION, apiHost: host, impersonateHost: host }], allowedNamespaces: { mode: 'All' } },
    } as Located,
  ])
  const dir = stack.use(temporaryDir())
  const minterDir = stack.use(temporaryDir())
  const minting = await plane.asServiceAccount('ascribe-system', 'ascribe-minter')
  const minter = await startMinter(minting.kubeconfig, { data: join(minterDir.path, 'minter'), stack })
  const { kubeconfig } = await plane.asServiceAccount('ascribe-system', 'ascribe-controller')
  const flags = ['--leader-elect', '--sync', '2s', '--list-grace', '1s', '--json', ...(kdcBridge ? ['--kdc-bridge'] : [])]
  const controller = stack.use(
    start(['controller', '--kubeconfig', kubeconfig, ...flags], {
      env: { ASCRIBE_DATA: dir.path, ASCRIBE_LOG_FORMAT: 'json', CLOUDSIGMA_MINTER_SOCKET: minter.socket },
    }),
  )
  const ready = await controller.firstLine
  if (ready === undefined || !ready.includes('"ready":true')) throw new Error(`The controller did not start: ${controller.stderr()}`)
  const asOwner: CloudWorld['asOwner'] = async (list) => {
    const credentials = Buffer.from(`${OWNER}:${user.password}`).toString('base64')
    const url = `${cloud.regions[REGION]?.api}/api/2.0/${list}/?limit=0`
    const answer = await fetch(url, { headers: { authorization: `Basic ${credentials}` } })
    if (!answer.ok) throw new Error(`The cloud answers ${answer.status} to ${url}: ${await answer.text()}`)
    return ((await answer.json()) as { readonly objects: readonly OwnedThing[] }).objects
  }
  const [image] = await asOwner('libdrives')
  const [vlan] = await asOwner('vlans')
  const held = stack.move()
  return {
    plane,
    cloud,
    controller,
    bind: (namespace) => bind(plane, { namespace, userUUID: user.uuid }),
    owner: { uuid: user.uuid, image: image?.uuid ?? '', vlan: vlan?.uuid ?? '' },
    asOwner,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

async function bind(
  { admin }: ControlPlane,
  { namespace, userUUID }: { readonly namespace: string; readonly userUUID: string },
): Promise<void> {
  const { body } = await admin.get(`/api/v1/namespaces/${namespace}`)
  const { metadata } = body as { readonly metadata: { readonly uid: string } }
  const binding = {
    apiVersion: API_VERSION,
    kind: 'CloudSigmaOwnerBinding',
    metadata: { name: `${namespace}-owner` },
    spec: {
      namespaceRef: { name: namespace, uid: metadata.uid },
      subject: { userUUID, emailAtBinding: OWNER },
      impersonatorRef: { name: 'cloudsigma' },
      evidence: { type: 'AdminAssertion' },
    },
  }
  await applyAll(admin, [binding])
  const made = (await admin.get(pathOf(binding))).body as { readonly metadata: { readonly uid: string } }
  await applyAll(admin, [boundNamespaceRights({ namespace, binding: { name: binding.metadata.name, uid: made.metadata.uid } })])
}

type InfraMachine = {
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly spec: { readonly providerID?: string }
}

/** Plays the kubelets: every machine that has a server has a Node in the workload cluster, by default the same API server. */
export function startKubelets(
  { admin }: Pick<ControlPlane, 'admin'>,
  { admin: workload }: Pick<ControlPlane, 'admin'> = { admin },
): AsyncDisposable {
  const stop = new AbortController()
  const running = (async () => {
    const known = new Set<string>()
    while (!stop.signal.aborted) {
      const { body } = await admin
        .get('/apis/infrastructure.cluster.x-k8s.io/v1beta1/cloudsigmamachines')
        .catch(() => ({ body: undefined }))
      const { items = [] } = (body ?? {}) as { readonly items?: readonly InfraMachine[] }
      for (const { metadata, spec } of items) {
        if (spec.providerID === undefined || known.has(spec.providerID)) continue
        const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: `${metadata.namespace}-${metadata.name}` } }
        await workload.post(collectionOf(node), { ...node, spec: { providerID: spec.providerID } })
        // All four, or the Machine runs but its Ready condition stays Unknown.
        const conditions = [
          { type: 'Ready', status: 'True', reason: 'Test' },
          ...['MemoryPressure', 'DiskPressure', 'PIDPressure'].map((type) => ({ type, status: 'False', reason: 'Test' })),
        ]
        await workload.patch(`${pathOf(node)}/status`, { status: { conditions } })
        known.add(spec.providerID)
      }
      await delay(KUBELET_POLL_MS, undefined, { signal: stop.signal }).catch(() => {})
    }
  })()
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await running
    },
  }
}

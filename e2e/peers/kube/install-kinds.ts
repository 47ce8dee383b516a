import { setTimeout as delay } from 'node:timers/promises'
import { GROUP, VERSION, manifests } from '@ascribe/kinds'
import type { Manifest } from '@ascribe/kinds'
import type { Api } from './api.ts'
import type { ControlPlane } from './start.ts'

const PLURALS: Readonly<Record<string, string>> = {
  ClusterClass: 'clusterclasses',
  IPAddress: 'ipaddresses',
  NetworkPolicy: 'networkpolicies',
  ValidatingAdmissionPolicy: 'validatingadmissionpolicies',
}
const CLUSTER_SCOPED: ReadonlySet<string> = new Set([
  'Namespace',
  'Node',
  'CustomResourceDefinition',
  'ClusterRole',
  'ClusterRoleBinding',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
  'CloudSigmaImpersonator',
  'CloudSigmaOwnerBinding',
])
const WAIT_MS_MAX = 20_000
const POLL_MS = 50

/** What of an object says where it is kept. */
export type Located = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

/** The path of the collection that an object is created in. */
export function collectionOf({ apiVersion, kind, metadata: { namespace = 'default' } }: Located): string {
  const plural = PLURALS[kind] ?? `${kind.toLowerCase()}s`
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  return CLUSTER_SCOPED.has(kind) ? `${root}/${plural}` : `${root}/namespaces/${namespace}/${plural}`
}

export function pathOf(object: Located): string {
  return `${collectionOf(object)}/${object.metadata.name}`
}

/** Applies objects; unknown fields are errors. @throws on the first refusal, with what the server said */
export async function applyAll(api: Api, objects: readonly Located[]): Promise<void> {
  for (const object of objects) {
    const path = `${pathOf(object)}?fieldValidation=Strict`
    let answer = await api.apply(path, object)
    // What was just defined is not served at once.
    for (const deadline = Date.now() + WAIT_MS_MAX; answer.status === 404 && Date.now() < deadline; answer = await api.apply(path, object))
      await delay(POLL_MS)
    if (answer.status >= 300) throw new Error(`The server refuses ${object.kind} ${object.metadata.name}: ${answer.text.slice(0, 600)}`)
  }
}

/** Installs everything that `ascribe manifests` prints, and waits until kinds are served and policies are in force. */
export async function installKinds(plane: ControlPlane, { kdcBridge = true }: { readonly kdcBridge?: boolean } = {}): Promise<void> {
  const objects: readonly Manifest[] = manifests({ kdcBridge })
  await applyAll(plane.admin, objects)
  const probe = { apiVersion: `${GROUP}/${VERSION}`, kind: 'CloudSigmaMachineTemplate', metadata: { name: 'probe', namespace: 'default' } }
  const refused = { ...probe, spec: { template: { spec: { cpu: 1000, memory: 512, userRef: { name: 'a', namespace: 'elsewhere' } } } } }
  const deadline = Date.now() + WAIT_MS_MAX
  for (;;) {
    const answer = await plane.admin.post(`${collectionOf(probe)}?dryRun=All`, refused)
    if (answer.status === 422 || answer.status === 403) return
    if (Date.now() > deadline) throw new Error(`The policies did not take effect: ${answer.text.slice(0, 300)}`)
    await delay(POLL_MS)
  }
}

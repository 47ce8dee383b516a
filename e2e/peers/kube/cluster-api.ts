import { once } from 'node:events'
import { createWriteStream, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseAllDocuments } from 'yaml'
import { freePort } from '../support/free-port.ts'
import { spawnTied } from '../support/tied-process.ts'
import { applyAll, pathOf } from './install-kinds.ts'
import type { Located } from './install-kinds.ts'
import type { ClusterApiBinaries } from './install.ts'
import type { ControlPlane } from './start.ts'

/** Cluster API's core manager on a control plane of ours. */
export type ClusterApi = AsyncDisposable & {
  /** The last lines of its log. */
  log(): string
}

export type ClusterApiOptions = {
  readonly binaries: ClusterApiBinaries
  /** More flags of the manager. */
  readonly flags?: readonly string[]
}

const NAMESPACE = 'capi-system'
const ACCOUNT = 'manager'
const READY_MS_MAX = 90_000
const STOP_MS = 3_000
const POLL_MS = 50
const LOG_LINES = 20

/**
 * Installs definitions, rights and webhooks from the manager's own module, and starts it with a ServiceAccount and Cluster API's own role, so that
 * missing rights show up. Needs the controller manager, which fills the aggregated role.
 */
export async function startClusterApi(plane: ControlPlane, { binaries, flags = [] }: ClusterApiOptions): Promise<ClusterApi> {
  const { admin, dir } = plane
  const webhookUrl = `https://127.0.0.1:${await freePort()}`
  const healthPort = await freePort()
  const ca = Buffer.from(plane.ca).toString('base64')
  const client = (path: string): object => ({ url: `${webhookUrl}${path}`, caBundle: ca })

  const definitions = read(binaries.config, 'crd/bases/*.yaml').map((object) => labelled(withConversion(object, client('/convert'))))
  await applyAll(admin, definitions)
  await applyAll(admin, [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: ACCOUNT, namespace: NAMESPACE } },
    ...read(binaries.config, 'rbac/role.yaml').map(prefixed),
    ...read(binaries.config, 'rbac/aggregated_role.yaml').map(prefixed),
    ...['capi-manager-role', 'capi-aggregated-manager-role'].map(bindingTo),
  ])
  const { kubeconfig } = await plane.asServiceAccount(NAMESPACE, ACCOUNT)
  const child = spawnTied(binaries.manager, [
    `--kubeconfig=${kubeconfig}`,
    '--leader-elect=false',
    `--webhook-port=${new URL(webhookUrl).port}`,
    `--webhook-cert-dir=${dir}`,
    '--webhook-cert-name=apiserver.crt',
    '--webhook-key-name=apiserver.key',
    `--health-addr=127.0.0.1:${healthPort}`,
    '--diagnostics-address=127.0.0.1:0',
    '--insecure-diagnostics',
    '--skip-crd-migration-phases=StorageVersionMigration,CleanupManagedFields',
    ...flags,
  ])
  const path = join(dir, 'capi-manager.log')
  const file = createWriteStream(path)
  child.stdout.pipe(file, { end: false })
  child.stderr.pipe(file, { end: false })
  child.once('close', () => file.end())
  const log = (): string => readFileSync(path, 'utf8').trimEnd().split('\n').slice(-LOG_LINES).join('\n')
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    const patience = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(patience)
  }
  const deadline = Date.now() + READY_MS_MAX
  while (!(await isReady(healthPort))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop()
      throw new Error(`Cluster API's manager did not become ready:\n${log()}`)
    }
    await delay(POLL_MS)
  }
  // Registered last: with failurePolicy Fail they would refuse everything while nothing listens.
  const webhooks = read(binaries.config, 'webhook/manifests.yaml').map((object) => prefixed(withClients(object, client)))
  await applyAll(admin, webhooks)
  return {
    log,
    async [Symbol.asyncDispose]() {
      for (const webhook of webhooks) await admin.delete(pathOf(webhook)).catch(() => {})
      await stop()
    },
  }
}

async function isReady(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  )
}

function read(config: string, pattern: string): readonly Located[] {
  return globSync(pattern, { cwd: config })
    .toSorted()
    .flatMap((file) => parseAllDocuments(readFileSync(join(config, file), 'utf8')).map((document) => document.toJS() as Located | null))
    .filter((object) => object !== null)
}

/** The manifests expect kustomize, which gives names their prefix. */
function prefixed(object: Located): Located {
  return { ...object, metadata: { ...object.metadata, name: `capi-${object.metadata.name}` } }
}

function withConversion(object: Located, clientConfig: object): Located {
  const { spec } = object as Located & { readonly spec: object }
  const conversion = { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v1'], clientConfig } }
  return Object.assign({}, object, { spec: { ...spec, conversion } })
}

/** As `clusterctl init` labels what it installs, and `clusterctl move` finds it. */
function labelled(object: Located): Located {
  const { labels = {} } = object.metadata as { readonly labels?: Readonly<Record<string, string>> }
  const metadata = {
    ...object.metadata,
    labels: { ...labels, 'clusterctl.cluster.x-k8s.io': '', 'cluster.x-k8s.io/provider': 'cluster-api' },
  }
  return { ...object, metadata }
}

type Webhook = { readonly clientConfig: { readonly service: { readonly path: string } } }

/** A Service stands in front of them in the manifests; here they are called by URL. */
function withClients(object: Located, client: (path: string) => object): Located {
  const { webhooks = [] } = object as Located & { readonly webhooks?: readonly Webhook[] }
  return Object.assign({}, object, {
    webhooks: webhooks.map((webhook) => ({ ...webhook, clientConfig: client(webhook.clientConfig.service.path) })),
  })
}

function bindingTo(role: string): Located {
  const object = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: role },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'ServiceAccount', name: ACCOUNT, namespace: NAMESPACE }],
  }
  return object
}

import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROVIDER_LABEL, PROVIDER_NAME } from '@ascribe/kinds'
import { runTool } from './run-tool.ts'
import { applyAll } from './install-kinds.ts'
import type { Located } from './install-kinds.ts'
import type { ControlPlane } from './start.ts'

const ARTEFACTS = join(import.meta.dirname, '..', '..', '..', 'deploy', 'clusterctl')
export const VERSION = 'v0.1.0'
/** Of e2e/peers/kube/cluster-api/go.mod. */
const CORE_VERSION = 'v1.14.0'

/** clusterctl with our artefacts as a release, and nothing of the Internet. */
export type Clusterctl = (args: readonly string[]) => Promise<string>

export function openClusterctl({ binary, dir }: { readonly binary: string; readonly dir: string }): Clusterctl {
  const release = join(dir, 'releases', PROVIDER_LABEL, VERSION)
  mkdirSync(release, { recursive: true })
  cpSync(ARTEFACTS, release, { recursive: true })
  // Core is there already: only its contract is read.
  const core = join(dir, 'releases', 'cluster-api', CORE_VERSION)
  mkdirSync(core, { recursive: true })
  const [major, minor] = CORE_VERSION.slice(1).split('.').map(Number)
  const metadata = {
    apiVersion: 'clusterctl.cluster.x-k8s.io/v1alpha3',
    kind: 'Metadata',
    releaseSeries: [{ major, minor, contract: 'v1beta2' }],
  }
  writeFileSync(join(core, 'metadata.yaml'), JSON.stringify(metadata))
  writeFileSync(join(core, 'core-components.yaml'), '')
  const config = join(dir, 'clusterctl.yaml')
  const providers = [
    { name: PROVIDER_NAME, type: 'InfrastructureProvider', url: join(release, 'infrastructure-components.yaml') },
    { name: 'cluster-api', type: 'CoreProvider', url: join(core, 'core-components.yaml') },
  ]
  writeFileSync(config, JSON.stringify({ providers }))
  const env = { HOME: dir, XDG_CONFIG_HOME: dir, XDG_CACHE_HOME: dir, CLUSTERCTL_DISABLE_VERSIONCHECK: 'true', ...VARIABLES }
  return (args) => runTool(binary, [...args, '--config', config], { env })
}

const VARIABLES = {
  CLOUDSIGMA_REGION: 'zrh',
  CLOUDSIGMA_USER_EMAIL: 'user@example.com',
  CLOUDSIGMA_IMAGE_UUID: 'b2c1d0e5-7a3f-4c0e-9d41-0f6a2f8a9b10',
  CLOUDSIGMA_VLAN_UUID: 'b2c1d0e5-7a3f-4c0e-9d41-0f6a2f8a9b11',
  CONTROL_PLANE_ENDPOINT_HOST: '10.0.0.1',
}

/**
 * What `clusterctl init` would look for and cannot make here, where no pod runs: cert-manager's kinds (it makes a test certificate and takes it for
 * working), and the inventory with Cluster API's core in it.
 */
export async function prepareForClusterctl({ admin }: ControlPlane): Promise<void> {
  await applyAll(admin, [
    definition('cert-manager.io', 'v1', 'Issuer'),
    definition('cert-manager.io', 'v1', 'Certificate'),
    definition('clusterctl.cluster.x-k8s.io', 'v1alpha3', 'Provider'),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'capi-system' } },
  ])
  const provider = {
    apiVersion: 'clusterctl.cluster.x-k8s.io/v1alpha3',
    kind: 'Provider',
    metadata: {
      name: 'cluster-api',
      namespace: 'capi-system',
      labels: {
        'clusterctl.cluster.x-k8s.io': '',
        'cluster.x-k8s.io/provider': 'cluster-api',
        'clusterctl.cluster.x-k8s.io/core': 'inventory',
      },
    },
    providerName: 'cluster-api',
    type: 'CoreProvider',
    version: CORE_VERSION,
  }
  await applyAll(admin, [provider])
}

function definition(group: string, version: string, kind: string): Located {
  const plural = `${kind.toLowerCase()}s`
  const object = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      labels: { 'clusterctl.cluster.x-k8s.io/core': 'cert-manager' },
      annotations: { 'api-approved.kubernetes.io': 'unapproved, a stand-in for tests' },
    },
    spec: {
      group,
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
      scope: 'Namespaced',
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  }
  return object
}

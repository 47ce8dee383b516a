import { yamlStream } from '../manifest.ts'
import { API_VERSION, GROUP } from '../names.ts'
import { CLUSTERS, CLUSTER_TEMPLATES, MACHINE_TEMPLATES } from '../resources.ts'
import { manifests } from './manifests.ts'
import { DEFAULT_IMAGE } from './pod.ts'

/** A file of an installation, by its path below `deploy/`. */
export type DeployFile = { readonly path: string; readonly text: string }

/** Major and minor version that `clusterctl` reads the contract of. */
const SERIES = { major: 0, minor: 1 } as const

const CORE = 'cluster.x-k8s.io/v1beta2'
const KUBEADM = 'bootstrap.cluster.x-k8s.io'
const CONTROL_PLANE = 'controlplane.cluster.x-k8s.io'
const NAME = variable('CLUSTER_NAME')
/** clusterctl fills in the namespace that it was told. */
const NAMESPACE = variable('NAMESPACE')

/** What `clusterctl` takes from a release (C-50): `clusterctl init --infrastructure ascribe-cloudsigma`. */
export function clusterctlFiles(): readonly DeployFile[] {
  return [
    { path: 'clusterctl/metadata.yaml', text: yamlStream([metadata()]) },
    { path: 'clusterctl/infrastructure-components.yaml', text: yamlStream(components()) },
    { path: 'clusterctl/cluster-template.yaml', text: yamlStream(clusterTemplate()) },
    { path: 'clusterctl/cluster-template-topology.yaml', text: yamlStream([topologyCluster()]) },
    { path: 'clusterctl/clusterclass-ascribe.yaml', text: yamlStream(clusterClass()) },
  ]
}

function metadata(): object {
  return {
    apiVersion: 'clusterctl.cluster.x-k8s.io/v1alpha3',
    kind: 'Metadata',
    releaseSeries: [{ ...SERIES, contract: 'v1beta2' }],
  }
}

/** With variables where installations differ. The namespace is one of them, because policies name our service accounts. */
function components(): readonly object[] {
  return manifests({
    namespace: variable('ASCRIBE_NAMESPACE', 'ascribe-system'),
    image: variable('ASCRIBE_IMAGE', DEFAULT_IMAGE),
    clientSecret: variable('ASCRIBE_CLIENT_SECRET', 'cloudsigma-impersonation'),
    env: {
      CLOUDSIGMA_OAUTH_URL: variable('CLOUDSIGMA_OAUTH_URL', ''),
      CLOUDSIGMA_CLIENT_ID: variable('CLOUDSIGMA_CLIENT_ID', ''),
      CLOUDSIGMA_API_URL: variable('CLOUDSIGMA_API_URL', ''),
      ASCRIBE_NATS_URL: variable('ASCRIBE_NATS_URL', ''),
    },
  })
}

/** `${NAME}`, or with a default `${NAME:=default}`, as clusterctl substitutes it. */
function variable(name: string, value?: string): string {
  if (value === undefined) return `\${${name}}`
  return `\${${name}:=${value === '' ? '""' : value}}`
}

function machine(): object {
  return {
    cpu: variable('CLOUDSIGMA_CPU_MHZ', '4000'),
    cpuCores: variable('CLOUDSIGMA_CPU_CORES', '2'),
    memory: variable('CLOUDSIGMA_MEMORY_MIB', '4096'),
    disks: [
      {
        uuid: variable('CLOUDSIGMA_IMAGE_UUID'),
        device: 'virtio',
        boot_order: 1,
        size: variable('CLOUDSIGMA_DISK_BYTES', '42949672960'),
      },
    ],
    nics: [{ vlan: variable('CLOUDSIGMA_VLAN_UUID') }],
  }
}

const reference = (kind: string, name: string, apiGroup: string = GROUP): object => ({ apiGroup, kind, name })
const named = (name: string): object => ({ name, namespace: NAMESPACE })

/** The kubelet learns its providerID from the meta of the server. */
const JOIN = { nodeRegistration: { kubeletExtraArgs: [{ name: 'provider-id', value: 'cloudsigma://{{ ds.meta_data.instance_id }}' }] } }

function clusterTemplate(): readonly object[] {
  const [controlPlane, workers] = [`${NAME}-control-plane`, `${NAME}-workers`]
  return [
    {
      apiVersion: CORE,
      kind: 'Cluster',
      metadata: named(NAME),
      spec: {
        clusterNetwork: { pods: { cidrBlocks: [variable('POD_CIDR', '10.244.0.0/16')] } },
        controlPlaneEndpoint: { host: variable('CONTROL_PLANE_ENDPOINT_HOST'), port: variable('CONTROL_PLANE_ENDPOINT_PORT', '6443') },
        infrastructureRef: reference(CLUSTERS.kind, NAME),
        controlPlaneRef: reference('KubeadmControlPlane', controlPlane, CONTROL_PLANE),
      },
    },
    {
      apiVersion: API_VERSION,
      kind: CLUSTERS.kind,
      metadata: named(NAME),
      spec: { region: variable('CLOUDSIGMA_REGION'), userEmail: variable('CLOUDSIGMA_USER_EMAIL') },
    },
    {
      apiVersion: `${CONTROL_PLANE}/v1beta2`,
      kind: 'KubeadmControlPlane',
      metadata: named(controlPlane),
      spec: {
        version: variable('KUBERNETES_VERSION'),
        replicas: variable('CONTROL_PLANE_MACHINE_COUNT', '1'),
        machineTemplate: { spec: { infrastructureRef: reference(MACHINE_TEMPLATES.kind, controlPlane) } },
        kubeadmConfigSpec: { initConfiguration: JOIN, joinConfiguration: JOIN },
      },
    },
    {
      apiVersion: CORE,
      kind: 'MachineDeployment',
      metadata: named(workers),
      spec: {
        clusterName: NAME,
        replicas: variable('WORKER_MACHINE_COUNT', '1'),
        selector: { matchLabels: { 'cluster.x-k8s.io/cluster-name': NAME } },
        template: {
          spec: {
            clusterName: NAME,
            version: variable('KUBERNETES_VERSION'),
            bootstrap: { configRef: reference('KubeadmConfigTemplate', workers, KUBEADM) },
            infrastructureRef: reference(MACHINE_TEMPLATES.kind, workers),
          },
        },
      },
    },
    {
      apiVersion: `${KUBEADM}/v1beta2`,
      kind: 'KubeadmConfigTemplate',
      metadata: named(workers),
      spec: { template: { spec: { joinConfiguration: JOIN } } },
    },
    ...[controlPlane, workers].map((name) => ({
      apiVersion: API_VERSION,
      kind: MACHINE_TEMPLATES.kind,
      metadata: named(name),
      spec: { template: { spec: machine() } },
    })),
  ]
}

const CLASS = 'ascribe'

function clusterClass(): readonly object[] {
  const parts = { cluster: `${CLASS}-cluster`, controlPlane: `${CLASS}-control-plane`, workers: `${CLASS}-workers` }
  const template = (kind: string, name: string, apiVersion: string = API_VERSION): object => ({ templateRef: { apiVersion, kind, name } })
  return [
    {
      apiVersion: CORE,
      kind: 'ClusterClass',
      metadata: named(CLASS),
      spec: {
        infrastructure: template(CLUSTER_TEMPLATES.kind, parts.cluster),
        controlPlane: {
          ...template('KubeadmControlPlaneTemplate', parts.controlPlane, `${CONTROL_PLANE}/v1beta2`),
          machineInfrastructure: template(MACHINE_TEMPLATES.kind, parts.controlPlane),
        },
        workers: {
          machineDeployments: [
            {
              class: 'workers',
              bootstrap: template('KubeadmConfigTemplate', parts.workers, `${KUBEADM}/v1beta2`),
              infrastructure: template(MACHINE_TEMPLATES.kind, parts.workers),
            },
          ],
        },
        variables: CLASS_VARIABLES,
        patches: CLASS_PATCHES,
      },
    },
    {
      apiVersion: API_VERSION,
      kind: CLUSTER_TEMPLATES.kind,
      metadata: named(parts.cluster),
      // Every cluster says its own region: this one is replaced.
      spec: { template: { spec: { region: 'zrh' } } },
    },
    {
      apiVersion: `${CONTROL_PLANE}/v1beta2`,
      kind: 'KubeadmControlPlaneTemplate',
      metadata: named(parts.controlPlane),
      spec: { template: { spec: { kubeadmConfigSpec: { initConfiguration: JOIN, joinConfiguration: JOIN } } } },
    },
    {
      apiVersion: `${KUBEADM}/v1beta2`,
      kind: 'KubeadmConfigTemplate',
      metadata: named(parts.workers),
      spec: { template: { spec: { joinConfiguration: JOIN } } },
    },
    ...[parts.controlPlane, parts.workers].map((name) => ({
      apiVersion: API_VERSION,
      kind: MACHINE_TEMPLATES.kind,
      metadata: named(name),
      spec: { template: { spec: machine() } },
    })),
  ]
}

const text = (name: string): object => ({ name, required: true, schema: { openAPIV3Schema: { type: 'string', minLength: 1 } } })
const CLASS_VARIABLES: readonly object[] = [text('region'), text('userEmail')]

const CLASS_PATCHES: readonly object[] = [
  {
    name: 'owner',
    definitions: [
      {
        selector: { apiVersion: API_VERSION, kind: CLUSTER_TEMPLATES.kind, matchResources: { infrastructureCluster: true } },
        jsonPatches: [
          { op: 'replace', path: '/spec/template/spec/region', valueFrom: { variable: 'region' } },
          { op: 'add', path: '/spec/template/spec/userEmail', valueFrom: { variable: 'userEmail' } },
        ],
      },
    ],
  },
]

function topologyCluster(): object {
  return {
    apiVersion: CORE,
    kind: 'Cluster',
    metadata: named(NAME),
    spec: {
      clusterNetwork: { pods: { cidrBlocks: [variable('POD_CIDR', '10.244.0.0/16')] } },
      controlPlaneEndpoint: { host: variable('CONTROL_PLANE_ENDPOINT_HOST'), port: variable('CONTROL_PLANE_ENDPOINT_PORT', '6443') },
      topology: {
        classRef: { name: CLASS },
        version: variable('KUBERNETES_VERSION'),
        controlPlane: { replicas: variable('CONTROL_PLANE_MACHINE_COUNT', '1') },
        workers: { machineDeployments: [{ class: 'workers', name: 'workers', replicas: variable('WORKER_MACHINE_COUNT', '1') }] },
        variables: [
          { name: 'region', value: variable('CLOUDSIGMA_REGION') },
          { name: 'userEmail', value: variable('CLOUDSIGMA_USER_EMAIL') },
        ],
      },
    },
  }
}

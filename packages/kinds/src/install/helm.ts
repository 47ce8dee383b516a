import { crds } from '../crds.ts'
import { yamlStream } from '../manifest.ts'
import type { Manifest } from '../manifest.ts'
import { MINTER } from '../names.ts'
import { policies } from '../policy/policies.ts'
import type { DeployFile } from './clusterctl.ts'
import { DEFAULT_IMAGE } from './pod.ts'
import { rights } from './rights.ts'
import { workload } from './workload.ts'

/** The chart's own version follows the product's. */
const VERSION = '0.1.0'
const NAMESPACE = '{{ .Release.Namespace }}'

/**
 * The chart `ascribe`: the same objects as `ascribe manifests`, with Helm's expressions where installations differ. Definitions are templates and
 * not in `crds/`, which Helm never upgrades; they stay when the release goes, since deleting a definition deletes every object of it.
 */
export function helmFiles(): readonly DeployFile[] {
  const at = 'helm/ascribe'
  const plain = rights({ namespace: NAMESPACE, clientSecret: '{{ .Values.clientSecret }}' })
  const bridge = rights({ namespace: NAMESPACE, clientSecret: '{{ .Values.clientSecret }}', kdcBridge: true }).filter(
    ({ kind, metadata: { name } }) => !plain.some((other) => other.kind === kind && other.metadata.name === name),
  )
  return [
    { path: `${at}/Chart.yaml`, text: yamlStream([CHART]) },
    { path: `${at}/values.yaml`, text: VALUES },
    { path: `${at}/templates/definitions.yaml`, text: guarded('.Values.crds', yamlStream(crds().map(kept))) },
    { path: `${at}/templates/policies.yaml`, text: yamlStream(policies({ namespace: NAMESPACE })) },
    { path: `${at}/templates/rights.yaml`, text: yamlStream(plain) },
    { path: `${at}/templates/rights-kdc-bridge.yaml`, text: guarded('.Values.kdcBridge', yamlStream(bridge)) },
    { path: `${at}/templates/controller.yaml`, text: controller() },
    { path: `${at}/templates/minter.yaml`, text: filled(objects().filter(isMinter)) },
    { path: `${at}/templates/broker.yaml`, text: guarded('.Values.brokerSecret', yamlStream(objects().filter(isBroker))) },
    { path: `${at}/templates/service-monitor.yaml`, text: guarded('.Values.serviceMonitor', yamlStream([SERVICE_MONITOR])) },
    { path: `${at}/templates/NOTES.txt`, text: NOTES },
  ]
}

const CHART = {
  apiVersion: 'v2',
  name: 'ascribe',
  description: "The controllers of Ascribe: machines in their owners' cloud accounts.",
  type: 'application',
  version: VERSION,
  appVersion: VERSION,
  kubeVersion: '>=1.30.0-0',
}

const VALUES = `# An image whose entry point is ascribe.
image: ${DEFAULT_IMAGE}
imagePullPolicy: IfNotPresent
# The Secret with client-id and client-secret, in the namespace of the release; make it yourself. The minter alone reads it.
clientSecret: cloudsigma-impersonation
# Makes CloudSigmaClusters and templates of kube-dc's KdcClusters.
kdcBridge: false
# A Secret with tls.crt and tls.key: the broker is served with it. Default: no broker.
brokerSecret: ""
# More arguments of \`ascribe controller\`, and variables of its environment and of the minter's. No secrets.
args: []
env: {}
# Journals: acts and usage until they are shipped.
storage: 2Gi
# Default: the class of the cluster.
storageClassName: null
resources:
  requests: { cpu: 100m, memory: 256Mi }
  limits: { memory: 1Gi }
# Whether the definitions are installed with the release. They stay when it goes.
crds: true
# A ServiceMonitor of the Prometheus operator.
serviceMonitor: false
`

const NOTES = `Ascribe's controllers run in {{ .Release.Namespace }}.

1. Make the Secret {{ .Values.clientSecret }} with client-id and client-secret.
2. Write a CloudSigmaImpersonator: issuer, regions, allowed namespaces.
3. Bind namespaces to their owners: ascribe owners bind.
4. Look for what is wrong: ascribe doctor.
`

const SERVICE_MONITOR = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'ServiceMonitor',
  metadata: { name: 'ascribe-controller', namespace: NAMESPACE },
  spec: { selector: { matchLabels: { 'app.kubernetes.io/name': 'ascribe-controller' } }, endpoints: [{ port: 'metrics' }] },
}

function kept(definition: Manifest): Manifest {
  return { ...definition, metadata: { ...definition.metadata, annotations: { 'helm.sh/resource-policy': 'keep' } } }
}

function guarded(condition: string, text: string): string {
  return `{{- if ${condition} }}\n${text}{{- end }}\n`
}

/** An expression of Helm's that gives more than text: it stands without quotes. */
function raw(expression: string): string {
  return `@@{{ ${expression} }}@@`
}

/** Items of lists that become a block of Helm's. */
const BRIDGE = 'BLOCK_BRIDGE'
const ARGS = 'BLOCK_ARGS'
const ENV = 'BLOCK_ENV'

const isBroker = ({ metadata: { name } }: Manifest): boolean => name === 'ascribe-broker'
const isMinter = ({ metadata: { name } }: Manifest): boolean => name === MINTER

function objects(): readonly Manifest[] {
  return workload({
    namespace: NAMESPACE,
    image: '{{ .Values.image }}',
    imagePullPolicy: '{{ .Values.imagePullPolicy }}',
    clientSecret: '{{ .Values.clientSecret }}',
    storage: '{{ .Values.storage }}',
    storageClassName: raw('.Values.storageClassName | toJson'),
    resources: raw('.Values.resources | toJson'),
    args: [BRIDGE, ARGS],
    env: { [ENV]: '' },
    brokerSecret: '{{ .Values.brokerSecret }}',
  })
}

/** Lines of the broker: arguments, port, mount, volume. */
const BROKER_LINES: readonly RegExp[] = [
  /(^ +- --broker-.*\n)+/m,
  /^ +- name: broker\n +containerPort: .*\n/m,
  /^ +- name: broker\n +mountPath: .*\n +readOnly: true\n/m,
  /^ +- name: broker\n +secret:\n +secretName: .*\n +defaultMode: .*\n/m,
]

/** YAML with Helm's expressions and blocks in the place of our marks. */
function filled(of: readonly Manifest[]): string {
  return yamlStream(of)
    .replaceAll(/"@@(.*)@@"/g, '$1')
    .replace(/^( +)- BLOCK_BRIDGE$/m, '$1{{- if .Values.kdcBridge }}\n$1- --kdc-bridge\n$1{{- end }}')
    .replace(/^( +)- BLOCK_ARGS$/m, '$1{{- range .Values.args }}\n$1- {{ . | quote }}\n$1{{- end }}')
    .replace(
      /^( +)- name: BLOCK_ENV\n +value: ""$/m,
      '$1{{- range $name, $value := .Values.env }}\n$1- name: {{ $name }}\n$1  value: {{ $value | quote }}\n$1{{- end }}',
    )
}

function controller(): string {
  const text = filled(objects().filter((object) => !isBroker(object) && !isMinter(object)))
  return BROKER_LINES.reduce((out, lines) => out.replace(lines, (found) => guarded('.Values.brokerSecret', found)), text)
}

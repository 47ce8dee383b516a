import { DEFAULT_NAMESPACE, MINTER, SERVICE_ACCOUNTS } from '../names.ts'
import type { Manifest } from '../manifest.ts'
import { PROVIDER_LABELS } from '../provider.ts'
import { minterUrl, minterWorkload } from './minter-workload.ts'
import { CONTAINER_SECURITY, DEFAULT_IMAGE, POD_SECURITY } from './pod.ts'

export type WorkloadOptions = {
  /** Default `ascribe-system`. */
  readonly namespace?: string
  /** An image whose entry point is `ascribe`. Default {@link DEFAULT_IMAGE}. */
  readonly image?: string
  readonly kdcBridge?: boolean
  /** Name of the Secret with `client-id` and `client-secret`. */
  readonly clientSecret?: string
  /** More arguments of `ascribe controller`. */
  readonly args?: readonly string[]
  /** More variables of its environment and of the minter's: part E's, `ASCRIBE_NATS_URL`. */
  readonly env?: Readonly<Record<string, string>>
  /** Name of a Secret of type `kubernetes.io/tls`: the broker is served with it. Default: there is no broker. */
  readonly brokerSecret?: string
  /** Of the volume with the journals. Default `2Gi`. */
  readonly storage?: string
  /** Default: the cluster's. */
  readonly storageClassName?: string
  readonly imagePullPolicy?: string
  /** What the container asks for, as Kubernetes has it, or an expression that gives it. */
  readonly resources?: object | string
}

const NAME = SERVICE_ACCOUNTS.controller
const SELECTOR = { 'app.kubernetes.io/name': NAME }
const PORTS = { health: 9440, metrics: 8080, broker: 9443 } as const
/** Longer than a mutation in flight and the emptying of the work queue may take. */
const GRACE_SECONDS = 60
/** Journals, minted tokens' trail. */
const DATA = '/var/lib/ascribe'
/** The token that it shows to the minter, for that audience and no other; the kubelet renews it. */
const MINTER_TOKEN = '/var/run/secrets/ascribe-minter'
const MINTER_TOKEN_SECONDS = 3600
const BROKER = '/etc/ascribe/broker'

/**
 * Deployment, Service, volume and disruption budget of the controller; and the minter. One replica: its journal is on a volume that one node mounts, and no act
 * goes without a journal. The Lease guards against two all the same.
 */
export function workload(options: WorkloadOptions = {}): readonly Manifest[] {
  const { namespace = DEFAULT_NAMESPACE, storage = '2Gi', storageClassName, brokerSecret } = options
  const metadata = { name: NAME, namespace, labels: { ...PROVIDER_LABELS, ...SELECTOR } }
  return [
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata,
      spec: {
        accessModes: ['ReadWriteOnce'],
        ...(storageClassName !== undefined && { storageClassName }),
        resources: { requests: { storage } },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: SELECTOR, ports: [{ name: 'metrics', port: PORTS.metrics, targetPort: 'metrics' }] },
    },
    ...(brokerSecret === undefined ? [] : [brokerService(namespace)]),
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      // Never in the way of a node that is drained: the next replica takes the Lease.
      metadata,
      spec: { maxUnavailable: 1, selector: { matchLabels: SELECTOR } },
    },
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: deployment(options) },
    ...minterWorkload(options),
  ]
}

/** What cloud controller managers and storage drivers of clusters call. */
function brokerService(namespace: string): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'ascribe-broker', namespace, labels: { ...PROVIDER_LABELS, ...SELECTOR } },
    spec: { selector: SELECTOR, ports: [{ name: 'broker', port: 443, targetPort: 'broker' }] },
  }
}

function deployment(options: WorkloadOptions): object {
  return {
    replicas: 1,
    // The volume is mounted once.
    strategy: { type: 'Recreate' },
    selector: { matchLabels: SELECTOR },
    template: {
      metadata: { labels: { ...PROVIDER_LABELS, ...SELECTOR } },
      spec: {
        serviceAccountName: NAME,
        terminationGracePeriodSeconds: GRACE_SECONDS,
        securityContext: POD_SECURITY,
        containers: [container(options)],
        volumes: [
          { name: 'data', persistentVolumeClaim: { claimName: NAME } },
          { name: 'tmp', emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
          // In the place of the client Secret, which this process must not see (H-24).
          {
            name: 'minter',
            projected: {
              sources: [{ serviceAccountToken: { audience: MINTER, expirationSeconds: MINTER_TOKEN_SECONDS, path: 'token' } }],
            },
          },
          ...(options.brokerSecret === undefined
            ? []
            : [{ name: 'broker', secret: { secretName: options.brokerSecret, defaultMode: 0o440 } }]),
        ],
      },
    },
  }
}

const BROKER_ARGS: readonly string[] = [
  '--broker-host=0.0.0.0',
  `--broker-port=${PORTS.broker}`,
  `--broker-cert=${BROKER}/tls.crt`,
  `--broker-key=${BROKER}/tls.key`,
]

function container({
  image = DEFAULT_IMAGE,
  namespace = DEFAULT_NAMESPACE,
  kdcBridge = false,
  brokerSecret,
  args = [],
  env = {},
  imagePullPolicy,
  resources = { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '1Gi' } },
}: WorkloadOptions): object {
  return {
    // C-10.
    name: 'manager',
    image,
    ...(imagePullPolicy !== undefined && { imagePullPolicy }),
    args: [
      'controller',
      '--json',
      '--leader-elect',
      `--health-port=${PORTS.health}`,
      `--metrics-port=${PORTS.metrics}`,
      ...(brokerSecret === undefined ? [] : BROKER_ARGS),
      ...(kdcBridge ? ['--kdc-bridge'] : []),
      ...args,
    ],
    env: [
      { name: 'ASCRIBE_DATA', value: DATA },
      // In a pod the probes come from outside.
      { name: 'ASCRIBE_OPS_HOST', value: '0.0.0.0' },
      { name: 'ASCRIBE_LOG_FORMAT', value: 'json' },
      { name: 'POD_NAMESPACE', value: namespace },
      { name: 'CLOUDSIGMA_MINTER_URL', value: minterUrl(namespace) },
      { name: 'CLOUDSIGMA_MINTER_TOKEN_FILE', value: `${MINTER_TOKEN}/token` },
      ...Object.entries(env).map(([name, value]) => ({ name, value })),
    ],
    ports: [
      { name: 'health', containerPort: PORTS.health },
      { name: 'metrics', containerPort: PORTS.metrics },
      ...(brokerSecret === undefined ? [] : [{ name: 'broker', containerPort: PORTS.broker }]),
    ],
    livenessProbe: { httpGet: { path: '/healthz', port: 'health' }, periodSeconds: 10, failureThreshold: 3 },
    readinessProbe: { httpGet: { path: '/readyz', port: 'health' }, periodSeconds: 5 },
    resources,
    securityContext: CONTAINER_SECURITY,
    volumeMounts: [
      { name: 'data', mountPath: DATA },
      { name: 'tmp', mountPath: '/tmp' },
      { name: 'minter', mountPath: MINTER_TOKEN, readOnly: true },
      ...(brokerSecret === undefined ? [] : [{ name: 'broker', mountPath: BROKER, readOnly: true }]),
    ],
  }
}

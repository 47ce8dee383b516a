import type { Manifest } from '../manifest.ts'
import { DEFAULT_CLIENT_SECRET, DEFAULT_NAMESPACE, MINTER, MINTER_CONFIG_MAP } from '../names.ts'
import { PROVIDER_LABELS } from '../provider.ts'
import { CONTAINER_SECURITY, DEFAULT_IMAGE, POD_SECURITY } from './pod.ts'
import type { WorkloadOptions } from './workload.ts'

const SELECTOR = { 'app.kubernetes.io/name': MINTER }
const PORTS = { health: 9440, metrics: 8080, minter: 9444 } as const
/** The trail of tokens, and the counts of days until they are shipped. */
const DATA = '/var/lib/ascribe'
const STORAGE = '1Gi'
const SECRETS = '/etc/ascribe/cloudsigma'
/** More than a token in the making takes. */
const GRACE_SECONDS = 45
const RESOURCES = { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '512Mi' } }

/** Where the others find it. */
export function minterUrl(namespace: string): string {
  return `https://${MINTER}.${namespace}.svc`
}

/**
 * The one process that reads the client Secret, by its own service account (H-24): Deployment, Service, volume of its trail, the ConfigMap that it
 * publishes its certificate in, and who may reach it. One replica; while it is away tokens in hand serve, and nothing is minted.
 */
export function minterWorkload(options: WorkloadOptions): readonly Manifest[] {
  const { namespace = DEFAULT_NAMESPACE, storageClassName } = options
  const metadata = { name: MINTER, namespace, labels: { ...PROVIDER_LABELS, ...SELECTOR } }
  return [
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata,
      spec: {
        accessModes: ['ReadWriteOnce'],
        ...(storageClassName !== undefined && { storageClassName }),
        resources: { requests: { storage: STORAGE } },
      },
    },
    // Empty: its `data` is the minter's field, which an upgrade leaves alone.
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...metadata, name: MINTER_CONFIG_MAP } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: {
        selector: SELECTOR,
        ports: [
          { name: 'minter', port: 443, targetPort: 'minter' },
          { name: 'metrics', port: PORTS.metrics, targetPort: 'metrics' },
        ],
      },
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata,
      spec: {
        podSelector: { matchLabels: SELECTOR },
        policyTypes: ['Ingress'],
        ingress: [
          // Those who may ask are in this namespace; who they are says their token.
          { from: [{ podSelector: {} }], ports: [{ port: 'minter' }] },
          { ports: [{ port: 'health' }, { port: 'metrics' }] },
        ],
      },
    },
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: deployment(options) },
  ]
}

function deployment({ clientSecret = DEFAULT_CLIENT_SECRET, ...options }: WorkloadOptions): object {
  return {
    replicas: 1,
    // The volume is mounted once.
    strategy: { type: 'Recreate' },
    selector: { matchLabels: SELECTOR },
    template: {
      metadata: { labels: { ...PROVIDER_LABELS, ...SELECTOR } },
      spec: {
        serviceAccountName: MINTER,
        terminationGracePeriodSeconds: GRACE_SECONDS,
        securityContext: POD_SECURITY,
        containers: [container(options)],
        volumes: [
          { name: 'data', persistentVolumeClaim: { claimName: MINTER } },
          { name: 'tmp', emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
          // For the environment in the place of an Impersonator. Missing while Impersonators name others.
          { name: 'cloudsigma', secret: { secretName: clientSecret, optional: true, defaultMode: 0o440 } },
        ],
      },
    },
  }
}

function container({ image = DEFAULT_IMAGE, namespace = DEFAULT_NAMESPACE, env = {}, imagePullPolicy }: WorkloadOptions): object {
  return {
    name: 'minter',
    image,
    ...(imagePullPolicy !== undefined && { imagePullPolicy }),
    args: [
      'minter',
      '--json',
      '--host=0.0.0.0',
      `--port=${PORTS.minter}`,
      `--health-port=${PORTS.health}`,
      `--metrics-port=${PORTS.metrics}`,
    ],
    env: [
      { name: 'ASCRIBE_DATA', value: DATA },
      { name: 'ASCRIBE_OPS_HOST', value: '0.0.0.0' },
      { name: 'ASCRIBE_LOG_FORMAT', value: 'json' },
      { name: 'POD_NAMESPACE', value: namespace },
      { name: 'CLOUDSIGMA_CLIENT_SECRET_FILE', value: `${SECRETS}/client-secret` },
      // No debugger by a signal: it would show the heap.
      { name: 'NODE_OPTIONS', value: '--disable-sigusr1' },
      ...Object.entries(env).map(([name, value]) => ({ name, value })),
    ],
    ports: Object.entries(PORTS).map(([name, containerPort]) => ({ name, containerPort })),
    livenessProbe: { httpGet: { path: '/healthz', port: 'health' }, periodSeconds: 10, failureThreshold: 3 },
    readinessProbe: { httpGet: { path: '/readyz', port: 'health' }, periodSeconds: 5 },
    resources: RESOURCES,
    securityContext: CONTAINER_SECURITY,
    volumeMounts: [
      { name: 'data', mountPath: DATA },
      { name: 'tmp', mountPath: '/tmp' },
      { name: 'cloudsigma', mountPath: SECRETS, readOnly: true },
    ],
  }
}

import type { Manifest } from '../manifest.ts'
import {
  API_VERSION,
  BOUND_NAMESPACE_ROLE,
  DEFAULT_CLIENT_SECRET,
  DEFAULT_NAMESPACE,
  GROUP,
  LEASE_NAME,
  MINTER,
  MINTER_CONFIG_MAP,
  PLATFORM_GROUP,
  PROOF_SECRET,
  SERVICE_ACCOUNTS,
} from '../names.ts'
import { PROVIDER_LABELS } from '../provider.ts'
import { CLUSTERS, IMPERSONATORS, MACHINES, MACHINE_TEMPLATES, OWNER_BINDINGS } from '../resources.ts'

type Rule = {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
  readonly resourceNames?: readonly string[]
}

const RBAC = 'rbac.authorization.k8s.io'
const READ = ['get', 'list', 'watch']
const status = (plurals: readonly string[]): readonly string[] => plurals.map((plural) => `${plural}/status`)

const CONTROLLER_RULES: readonly Rule[] = [
  {
    apiGroups: [GROUP],
    resources: [CLUSTERS.plural, MACHINES.plural, MACHINE_TEMPLATES.plural, IMPERSONATORS.plural, OWNER_BINDINGS.plural],
    verbs: READ,
  },
  // Annotations and finalizers; no create and no delete: our objects are made and removed by others (C-35).
  { apiGroups: [GROUP], resources: [CLUSTERS.plural, MACHINES.plural, OWNER_BINDINGS.plural], verbs: ['patch'] },
  {
    apiGroups: [GROUP],
    resources: status([CLUSTERS.plural, MACHINES.plural, MACHINE_TEMPLATES.plural, IMPERSONATORS.plural, OWNER_BINDINGS.plural]),
    verbs: ['patch'],
  },
  { apiGroups: [GROUP], resources: [`${MACHINES.plural}/finalizers`], verbs: ['update'] },
  { apiGroups: ['cluster.x-k8s.io'], resources: ['clusters', 'machines'], verbs: READ },
  { apiGroups: ['ipam.cluster.x-k8s.io'], resources: ['ipaddressclaims'], verbs: [...READ, 'create', 'patch', 'delete'] },
  { apiGroups: ['ipam.cluster.x-k8s.io'], resources: ['ipaddresses'], verbs: READ },
  { apiGroups: [''], resources: ['namespaces'], verbs: READ },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
  // Whether the policies are in force, which is said at the start when they are not.
  {
    apiGroups: ['admissionregistration.k8s.io'],
    resources: ['validatingadmissionpolicybindings'],
    verbs: ['get'],
    resourceNames: ['ascribe-protected-annotations'],
  },
  // The broker asks the API server whose token it was shown.
  { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
]

const BRIDGE_RULES: readonly Rule[] = [
  { apiGroups: ['k8s.kube-dc.com'], resources: ['kdcclusters'], verbs: READ },
  // Which templates are still used.
  { apiGroups: ['cluster.x-k8s.io'], resources: ['machinedeployments', 'machinesets'], verbs: READ },
  { apiGroups: [GROUP], resources: [CLUSTERS.plural, MACHINE_TEMPLATES.plural], verbs: ['create', 'patch', 'delete'] },
]

const API_RULES: readonly Rule[] = [
  { apiGroups: [GROUP], resources: [OWNER_BINDINGS.plural], verbs: [...READ, 'create', 'patch', 'delete'] },
  { apiGroups: [GROUP], resources: [IMPERSONATORS.plural], verbs: READ },
  { apiGroups: [GROUP], resources: [MACHINES.plural, CLUSTERS.plural], verbs: READ },
  { apiGroups: ['k8s.kube-dc.com'], resources: ['kdcclusters'], verbs: ['get', 'list', 'create', 'patch'] },
  { apiGroups: [''], resources: ['namespaces'], verbs: READ },
  // May hand out the one role below in any namespace, and no other right; a policy says to whom. They go with their binding, by the collector.
  { apiGroups: [RBAC], resources: ['rolebindings'], verbs: ['create'] },
  { apiGroups: [RBAC], resources: ['clusterroles'], verbs: ['bind'], resourceNames: [BOUND_NAMESPACE_ROLE] },
]

const PLATFORM_RULES: readonly Rule[] = [
  { apiGroups: [GROUP], resources: ['*'], verbs: ['*'] },
  { apiGroups: [''], resources: ['namespaces'], verbs: READ },
  { apiGroups: [RBAC], resources: ['rolebindings'], verbs: ['get', 'list', 'create', 'patch', 'delete'] },
  { apiGroups: [RBAC], resources: ['clusterroles'], verbs: ['bind'], resourceNames: [BOUND_NAMESPACE_ROLE] },
]

/** Who may be impersonated, and who asks; nothing that a tenant may write, and nothing to write. */
const MINTER_RULES: readonly Rule[] = [
  { apiGroups: [GROUP], resources: [IMPERSONATORS.plural, OWNER_BINDINGS.plural], verbs: READ },
  { apiGroups: [''], resources: ['namespaces'], verbs: READ },
  { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
]

/** In our own namespace: the client Secret, which nobody else gets (H-24), and where its certificate is published. */
const minterHomeRules = (clientSecret: string): readonly Rule[] => [
  { apiGroups: [''], resources: ['secrets'], verbs: ['get'], resourceNames: [clientSecret] },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'patch'], resourceNames: [MINTER_CONFIG_MAP] },
]

const API_HOME_RULES: readonly Rule[] = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'], resourceNames: [MINTER_CONFIG_MAP] }]

/** What a Role in our own namespace gives to the controller: one Secret by name, one Lease, records of what was given up on. */
const HOME_RULES: readonly Rule[] = [
  { apiGroups: [''], resources: ['secrets'], verbs: ['get'], resourceNames: [PROOF_SECRET] },
  // The key of the proofs is made once. To create is not to read.
  { apiGroups: [''], resources: ['secrets'], verbs: ['create'] },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'create'] },
  // `create` cannot be limited by name.
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'update', 'patch'], resourceNames: [LEASE_NAME] },
]

export type RightsOptions = {
  /** Default `ascribe-system`. */
  readonly namespace?: string
  /** Whether the rights of `--kdc-bridge` are among them. Default false. */
  readonly kdcBridge?: boolean
  /** Name of the Secret with `client-id` and `client-secret`. */
  readonly clientSecret?: string
}

/** Service accounts, roles and their bindings. No right to list or watch Secrets anywhere (H-19). */
export function rights({
  namespace = DEFAULT_NAMESPACE,
  kdcBridge = false,
  clientSecret = DEFAULT_CLIENT_SECRET,
}: RightsOptions = {}): readonly Manifest[] {
  const { controller, api } = SERVICE_ACCOUNTS
  return [
    ...[controller, api, MINTER].map((name) => ({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name, namespace, labels: PROVIDER_LABELS },
    })),
    clusterRole(controller, CONTROLLER_RULES),
    clusterRoleBinding(controller, { role: controller, subject: serviceAccount(controller, namespace) }),
    ...(kdcBridge
      ? [
          clusterRole('ascribe-kdc-bridge', BRIDGE_RULES),
          clusterRoleBinding('ascribe-kdc-bridge', { role: 'ascribe-kdc-bridge', subject: serviceAccount(controller, namespace) }),
        ]
      : []),
    clusterRole(api, API_RULES),
    clusterRoleBinding(api, { role: api, subject: serviceAccount(api, namespace) }),
    clusterRole(MINTER, MINTER_RULES),
    clusterRoleBinding(MINTER, { role: MINTER, subject: serviceAccount(MINTER, namespace) }),
    clusterRole('ascribe-platform', PLATFORM_RULES),
    clusterRoleBinding('ascribe-platform', { role: 'ascribe-platform', subject: { apiGroup: RBAC, kind: 'Group', name: PLATFORM_GROUP } }),
    clusterRole(BOUND_NAMESPACE_ROLE, [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }]),
    ...homeRole(controller, HOME_RULES, namespace),
    ...homeRole(api, API_HOME_RULES, namespace),
    ...homeRole(MINTER, minterHomeRules(clientSecret), namespace),
  ]
}

/** A Role of a service account's name in our own namespace, and its binding. */
function homeRole(name: string, rules: readonly Rule[], namespace: string): readonly Manifest[] {
  const metadata = { name, namespace, labels: PROVIDER_LABELS }
  return [
    { apiVersion: `${RBAC}/v1`, kind: 'Role', metadata, rules },
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: RBAC, kind: 'Role', name },
      subjects: [serviceAccount(name, namespace)],
    },
  ]
}

export type BoundNamespaceOptions = {
  /** The namespace that the binding names. */
  readonly namespace: string
  readonly binding: { readonly name: string; readonly uid: string }
  /** Where the controller is. Default `ascribe-system`. */
  readonly installedIn?: string
}

/**
 * The RoleBinding that lets the controller get Secrets (bootstrap data, `userRef`) in a bound namespace. It is made right after the binding, whose uid
 * it needs, and is collected with it. Whoever makes it needs `bind` on one role, and not the right itself.
 */
export function boundNamespaceRights({ namespace, binding, installedIn = DEFAULT_NAMESPACE }: BoundNamespaceOptions): Manifest {
  return {
    apiVersion: `${RBAC}/v1`,
    kind: 'RoleBinding',
    metadata: {
      name: `ascribe-${binding.name}`,
      namespace,
      labels: PROVIDER_LABELS,
      ownerReferences: [{ apiVersion: API_VERSION, kind: OWNER_BINDINGS.kind, name: binding.name, uid: binding.uid }],
    },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: BOUND_NAMESPACE_ROLE },
    subjects: [serviceAccount(SERVICE_ACCOUNTS.controller, installedIn)],
  }
}

type Subject = { readonly kind: string; readonly name: string; readonly namespace?: string; readonly apiGroup?: string }

function serviceAccount(name: string, namespace: string): Subject {
  return { kind: 'ServiceAccount', name, namespace }
}

function clusterRole(name: string, rules: readonly Rule[]): Manifest {
  return { apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', metadata: { name, labels: PROVIDER_LABELS }, rules }
}

function clusterRoleBinding(name: string, { role, subject }: { readonly role: string; readonly subject: Subject }): Manifest {
  return {
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name, labels: PROVIDER_LABELS },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: role },
    subjects: [subject],
  }
}

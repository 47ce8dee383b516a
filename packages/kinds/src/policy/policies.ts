import type { Manifest } from '../manifest.ts'
import {
  ANNOTATIONS,
  ANNOTATION_PREFIX,
  API_VERSION,
  CAPI,
  DEFAULT_NAMESPACE,
  FINALIZERS,
  OWNER_ANNOTATIONS,
  SERVICE_ACCOUNTS,
  platformWriters,
} from '../names.ts'
import { CLUSTERS, CLUSTER_TEMPLATES, IMPERSONATORS, MACHINES, MACHINE_TEMPLATES, OWNER_BINDINGS } from '../resources.ts'
import { NOW_AND_BEFORE, celList, notPlatform, policyManifests } from './policy.ts'
import { bindingSpec, boundNamespaceRightsOnly, homeStaysHome, organizationLabel, proofSecretOnly } from './platform-policies.ts'
import type { Policy } from './policy.ts'

const KDC = { group: 'k8s.kube-dc.com', version: '*', resources: ['kdcclusters'] } as const
const OBJECTS = [CLUSTERS.plural, MACHINES.plural]
const TEMPLATES = [CLUSTER_TEMPLATES.plural, MACHINE_TEMPLATES.plural]

export type PolicyOptions = {
  /** Where our service accounts are. Default `ascribe-system`. */
  readonly namespace?: string
}

/** Every ValidatingAdmissionPolicy and its binding: what the definitions' own rules cannot know, without a webhook server. */
export function policies({ namespace = DEFAULT_NAMESPACE }: PolicyOptions = {}): readonly Manifest[] {
  const all: readonly Policy[] = [
    ownerIdentity(namespace),
    protectedAnnotations(namespace),
    protectedFinalizers(namespace),
    serverIdentity(namespace),
    machineStatusWriters(namespace),
    abandon(namespace),
    TEMPLATE_STAYS,
    bindingWriters(namespace),
    bindingSpec(namespace),
    boundNamespaceRightsOnly(namespace),
    homeStaysHome(namespace),
    proofSecretOnly(namespace),
    organizationLabel(namespace),
    ...LIMITS,
    ...USER_REF_STAYS_HOME,
  ]
  return all.flatMap((policy) => policyManifests(policy))
}

/** H-1, 6.1: whose a cluster is, is not for those to say who may write one. */
function ownerIdentity(namespace: string): Policy {
  return {
    name: 'owner-identity',
    operations: ['CREATE', 'UPDATE'],
    matched: [KDC, { resources: [CLUSTERS.plural] }],
    conditions: { 'not-platform': notPlatform(namespace) },
    variables: { names: celList([...OWNER_ANNOTATIONS, ANNOTATIONS.fallback]), ...NOW_AND_BEFORE },
    validations: [
      {
        expression:
          'variables.names.all(n, (n in variables.now) == (n in variables.before) && (!(n in variables.now) || variables.now[n] == variables.before[n]))',
        message: `The owner annotations ${OWNER_ANNOTATIONS.join(' and ')}, and ${ANNOTATIONS.fallback}, are set by the platform only: create the cluster through its API`,
      },
    ],
  }
}

/** What the controller relies on is not for tenants to write. Updates of status do not change annotations. */
function protectedAnnotations(namespace: string): Policy {
  return {
    name: 'protected-annotations',
    operations: ['CREATE', 'UPDATE'],
    matched: [{ resources: [...OBJECTS, ...TEMPLATES] }],
    conditions: { 'not-platform': notPlatform(namespace) },
    variables: NOW_AND_BEFORE,
    validations: [
      {
        expression: `variables.now.all(k, !k.startsWith('${ANNOTATION_PREFIX}') || (k in variables.before && variables.before[k] == variables.now[k])) && variables.before.all(k, !k.startsWith('${ANNOTATION_PREFIX}') || k in variables.now)`,
        message: `Annotations ${ANNOTATION_PREFIX}* are written by the controller only; clusterctl move is for a platform writer`,
      },
    ],
  }
}

const MOVED = `${CAPI.clusterctl}/delete-for-move`

/**
 * H-12: a finalizer that is taken away by hand leaves a machine that somebody pays for. The controller, and `system:masters` where all else has
 * failed; the platform's group while clusterctl moves, and through abandon.
 */
function protectedFinalizers(namespace: string): Policy {
  return {
    name: 'protected-finalizers',
    operations: ['UPDATE'],
    matched: [{ resources: [...OBJECTS, OWNER_BINDINGS.plural] }],
    conditions: {
      'not-controller': `!('system:masters' in request.userInfo.groups) && request.userInfo.username != 'system:serviceaccount:${namespace}:${SERVICE_ACCOUNTS.controller}'`,
      'had-finalizers': 'has(oldObject.metadata.finalizers)',
    },
    variables: {
      ours: celList(Object.values(FINALIZERS)),
      platform: `!(${notPlatform(namespace)})`,
      moved: `has(object.metadata.annotations) && '${MOVED}' in object.metadata.annotations`,
    },
    validations: [
      {
        expression:
          '(variables.platform && variables.moved) || oldObject.metadata.finalizers.all(f, !(f in variables.ours) || (has(object.metadata.finalizers) && f in object.metadata.finalizers))',
        message: 'The finalizer goes when nothing stands any more; to give up on what stands use `ascribe machines abandon`',
      },
    ],
  }
}

/** CEL: the object bears our create-token. What has none is another provider's, which writes there until it is taken over, and after an undo. */
const IS_OURS = `'${ANNOTATIONS.createToken}' in variables.before`

/** whoever could name a server would have any of the owner's stopped and deleted with the machine. */
function serverIdentity(namespace: string): Policy {
  return {
    name: 'server-identity',
    operations: ['CREATE', 'UPDATE'],
    matched: [{ resources: [MACHINES.plural] }],
    conditions: { 'not-platform': notPlatform(namespace) },
    variables: { before: NOW_AND_BEFORE.before },
    validations: [
      {
        expression: `(oldObject != null && !(${IS_OURS})) || (has(object.spec.providerID) ? object.spec.providerID : '') == (oldObject != null && has(oldObject.spec.providerID) ? oldObject.spec.providerID : '')`,
        message: 'spec.providerID is written by the controller only: it names the server that was made',
      },
    ],
  }
}

/** Likewise `status.instanceID`, the account, and whether a machine was ever ready. */
function machineStatusWriters(namespace: string): Policy {
  return {
    name: 'machine-status-writers',
    operations: ['UPDATE'],
    matched: [{ resources: [`${MACHINES.plural}/status`] }],
    conditions: { 'not-platform': notPlatform(namespace) },
    variables: { before: NOW_AND_BEFORE.before },
    validations: [{ expression: `!(${IS_OURS})`, message: 'The status of a CloudSigmaMachine is written by the controller only' }],
  }
}

/** 5.7: two people, and the API server knows who they are. */
function abandon(namespace: string): Policy {
  const { abandon: asked, abandonApproved: approved, abandonReason: reason } = ANNOTATIONS
  const users = celList(platformWriters(namespace).users)
  const changed = (name: string): string =>
    `('${name}' in variables.now && (!('${name}' in variables.before) || variables.before['${name}'] != variables.now['${name}']))`
  return {
    name: 'abandon',
    operations: ['CREATE', 'UPDATE'],
    matched: [{ resources: OBJECTS }],
    conditions: {
      asked: `has(object.metadata.annotations) && ('${asked}' in object.metadata.annotations || '${approved}' in object.metadata.annotations)`,
    },
    variables: { ...NOW_AND_BEFORE, asking: changed(asked), approving: changed(approved) },
    validations: [
      {
        expression: `!(variables.asking || variables.approving) || !(request.userInfo.username in ${users})`,
        message: 'People abandon, not service accounts',
      },
      {
        expression: `!variables.asking || variables.now['${asked}'] == request.userInfo.username`,
        message: `${asked} holds the name of the user who asks`,
      },
      {
        expression: `!variables.approving || (variables.now['${approved}'] == request.userInfo.username && '${asked}' in variables.before && !variables.asking && variables.now['${approved}'] != variables.now['${asked}'])`,
        message: `${approved} holds the name of a second user, and comes after ${asked}`,
      },
      {
        expression: `!('${approved}' in variables.before) || !('${approved}' in variables.now) || (!variables.asking && ('${reason}' in variables.now ? variables.now['${reason}'] : '') == ('${reason}' in variables.before ? variables.before['${reason}'] : ''))`,
        message: `What was approved stays as it was: remove ${approved} first`,
      },
    ],
  }
}

/** C-41: in a dry run of the topology controller a template may change. For everybody, us included. */
const TEMPLATE_STAYS: Policy = {
  name: 'template-immutable',
  operations: ['UPDATE'],
  matched: [{ resources: TEMPLATES }],
  validations: [
    {
      expression: `object.spec.template.spec == oldObject.spec.template.spec || (has(request.dryRun) && request.dryRun && has(object.metadata.annotations) && '${CAPI.topologyDryRun}' in object.metadata.annotations)`,
      message: 'A template is not changed: machines made of it would differ. Make another template and refer to it',
    },
  ],
}

/** 5.3: whoever could write one could act as anybody. */
function bindingWriters(namespace: string): Policy {
  return {
    name: 'binding-writers',
    operations: ['CREATE', 'UPDATE', 'DELETE'],
    matched: [{ resources: [IMPERSONATORS.plural, OWNER_BINDINGS.plural] }],
    conditions: { 'not-platform': notPlatform(namespace) },
    validations: [
      { expression: 'false', message: 'Impersonators and owner bindings are written by the platform only (group ascribe:platform)' },
    ],
  }
}

const HOME_MESSAGE = "userRef.namespace must be the object's own namespace"

/** H-4. Rules of a definition cannot see metadata.namespace. */
const USER_REF_STAYS_HOME: readonly Policy[] = [
  { name: 'user-ref-namespace', resources: OBJECTS, at: 'object.spec' },
  { name: 'user-ref-namespace-of-templates', resources: TEMPLATES, at: 'object.spec.template.spec' },
].map(({ name, resources, at }) => ({
  name,
  operations: ['CREATE', 'UPDATE'],
  matched: [{ resources }],
  validations: [
    {
      expression: `!has(${at}.userRef) || !has(${at}.userRef.namespace) || ${at}.userRef.namespace == object.metadata.namespace`,
      message: HOME_MESSAGE,
    },
  ],
}))

/**
 * H-13: what a single object asks for beyond the limits of the binding that it names is refused when it is written. The sum of all, and objects that
 * take the owner of their cluster, are for the controller (`QuotaExceeded`), which is why a failure of this policy lets pass.
 */
const LIMITS: readonly Policy[] = [
  { name: 'binding-limits', resources: [MACHINES.plural], at: 'object.spec', validations: machineLimits('object.spec') },
  {
    name: 'binding-limits-of-templates',
    resources: [MACHINE_TEMPLATES.plural],
    at: 'object.spec.template.spec',
    validations: machineLimits('object.spec.template.spec'),
  },
  { name: 'binding-regions', resources: [CLUSTERS.plural], at: 'object.spec', validations: [regionLimit('object.spec')] },
].map(({ name, resources, at, validations }) => ({
  name,
  operations: ['CREATE'],
  matched: [{ resources }],
  failurePolicy: 'Ignore',
  paramKind: { apiVersion: API_VERSION, kind: OWNER_BINDINGS.kind },
  variables: {
    selected: `params.spec.namespaceRef.name == object.metadata.namespace && has(params.spec.limits) && ((has(${at}.ownerBindingRef) && ${at}.ownerBindingRef.name == params.metadata.name) || (has(${at}.userEmail) && ${at}.userEmail.lowerAscii() == params.spec.subject.emailAtBinding.lowerAscii()))`,
  },
  validations,
}))

function machineLimits(at: string): Policy['validations'] {
  return [
    limit('maxCPU', `${at}.cpu`, 'MHz'),
    limit('maxMemory', `${at}.memory`, 'MiB'),
    limit('maxDrives', `(has(${at}.disks) ? size(${at}.disks) : 0)`, 'drives'),
    limit('maxServers', '1', 'servers'),
  ]
}

function limit(name: string, asked: string, unit: string): Policy['validations'][number] {
  return {
    expression: `!variables.selected || !has(params.spec.limits.${name}) || ${asked} <= params.spec.limits.${name}`,
    message: `More ${unit} than the owner agreed to (${name} of the binding)`,
  }
}

function regionLimit(at: string): Policy['validations'][number] {
  return {
    expression: `!variables.selected || !has(params.spec.limits.regions) || ${at}.region in params.spec.limits.regions`,
    message: 'The owner did not agree to this region (limits.regions of the binding)',
  }
}

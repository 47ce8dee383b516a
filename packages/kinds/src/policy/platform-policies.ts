import { BOUND_NAMESPACE_ROLE, ORGANIZATION_LABEL, PROOF_SECRET, SERVICE_ACCOUNTS } from '../names.ts'
import { OWNER_BINDINGS } from '../resources.ts'
import { celList, notPlatform } from './policy.ts'
import type { Policy } from './policy.ts'

// What our own service accounts may not do either: each is one process that could be taken over.

const RBAC = { group: 'rbac.authorization.k8s.io', version: 'v1' } as const

const isAccount = (name: string, namespace: string): string => `request.userInfo.username == 'system:serviceaccount:${namespace}:${name}'`

/** H-24: the controller holds bindings by their finalizer. Were it to lift an expiry or a limit, the minter would believe it. */
export function bindingSpec(namespace: string): Policy {
  return {
    name: 'binding-spec',
    operations: ['CREATE', 'UPDATE'],
    matched: [{ resources: [OWNER_BINDINGS.plural] }],
    conditions: { 'is-controller': isAccount(SERVICE_ACCOUNTS.controller, namespace) },
    validations: [
      {
        expression: 'oldObject != null && object.spec == oldObject.spec',
        message: 'The controller holds owner bindings, and does not write what they say',
      },
    ],
  }
}

/** The API makes RoleBindings in any namespace; these are all that it may make. */
export function boundNamespaceRightsOnly(namespace: string): Policy {
  return {
    name: 'bound-namespace-rights',
    operations: ['CREATE', 'UPDATE'],
    matched: [{ ...RBAC, resources: ['rolebindings'] }],
    conditions: { 'is-api': isAccount(SERVICE_ACCOUNTS.api, namespace) },
    variables: { subjects: 'has(object.subjects) ? object.subjects : []' },
    validations: [
      {
        expression: `object.roleRef.kind == 'ClusterRole' && object.roleRef.name == '${BOUND_NAMESPACE_ROLE}' && variables.subjects.all(s, s.kind == 'ServiceAccount' && s.name == '${SERVICE_ACCOUNTS.controller}' && s.namespace == '${namespace}')`,
        message: `The API gives role ${BOUND_NAMESPACE_ROLE} to the controller, and nothing else to nobody else`,
      },
    ],
  }
}

/** H-24: in our own namespace that role would give the client Secret to the controller; in the cluster's, what is as good. */
export function homeStaysHome(namespace: string): Policy {
  return {
    name: 'home-namespace',
    operations: ['CREATE', 'UPDATE'],
    matched: [{ ...RBAC, resources: ['rolebindings'] }],
    conditions: {
      'is-home': `request.namespace in ${celList([namespace, 'kube-system'])} && object.roleRef.name == '${BOUND_NAMESPACE_ROLE}'`,
    },
    validations: [
      { expression: 'false', message: `Namespaces ${namespace} and kube-system are the platform's own and are bound to nobody` },
    ],
  }
}

/** H-24: the one Secret that the controller makes and reads. Of another type, the API server would put the minter's token into it. */
export function proofSecretOnly(namespace: string): Policy {
  return {
    name: 'proof-secret',
    operations: ['CREATE', 'UPDATE'],
    matched: [{ group: '', version: 'v1', resources: ['secrets'] }],
    conditions: { 'is-controller': isAccount(SERVICE_ACCOUNTS.controller, namespace) },
    validations: [
      {
        expression: `object.metadata.name == '${PROOF_SECRET}' && object.type == 'Opaque'`,
        message: `The controller makes the Secret ${PROOF_SECRET} of type Opaque, and no other`,
      },
    ],
  }
}

/** Whose people may make clusters in a namespace is said by this label, and by the platform alone. */
export function organizationLabel(namespace: string): Policy {
  const now = `has(object.metadata.labels) && '${ORGANIZATION_LABEL}' in object.metadata.labels ? object.metadata.labels['${ORGANIZATION_LABEL}'] : ''`
  const before = `oldObject != null && has(oldObject.metadata.labels) && '${ORGANIZATION_LABEL}' in oldObject.metadata.labels ? oldObject.metadata.labels['${ORGANIZATION_LABEL}'] : ''`
  return {
    name: 'organization-label',
    operations: ['CREATE', 'UPDATE'],
    matched: [{ group: '', version: 'v1', resources: ['namespaces'] }],
    conditions: { 'not-platform': notPlatform(namespace) },
    variables: { now, before },
    validations: [
      {
        expression: 'variables.now == variables.before',
        message: `Label ${ORGANIZATION_LABEL} is set by the platform only (group ascribe:platform): it says whose people may make clusters here`,
      },
    ],
  }
}

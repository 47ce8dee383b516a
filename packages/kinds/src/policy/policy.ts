import { GROUP, VERSION, platformWriters } from '../names.ts'
import type { Manifest } from '../manifest.ts'
import { PROVIDER_LABELS } from '../provider.ts'

/** What a ValidatingAdmissionPolicy looks at: plurals of one group. */
export type Matched = { readonly group?: string; readonly version?: string; readonly resources: readonly string[] }

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE'

export type Policy = {
  /** Without our prefix. */
  readonly name: string
  readonly operations: readonly Operation[]
  readonly matched: readonly Matched[]
  /** CEL; the policy applies where all hold. */
  readonly conditions?: Readonly<Record<string, string>>
  readonly variables?: Readonly<Record<string, string>>
  readonly validations: readonly { readonly expression: string; readonly message: string; readonly messageExpression?: string }[]
  /** `Ignore` only where something else decides in the end. Default `Fail`. */
  readonly failurePolicy?: 'Fail' | 'Ignore'
  readonly paramKind?: { readonly apiVersion: string; readonly kind: string }
}

/** The two objects of a policy: itself, and its binding, without which it is not in force. */
export function policyManifests(policy: Policy): readonly Manifest[] {
  const name = `ascribe-${policy.name}`
  const metadata = { name, labels: PROVIDER_LABELS }
  return [
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata,
      spec: {
        failurePolicy: policy.failurePolicy ?? 'Fail',
        ...(policy.paramKind !== undefined && { paramKind: policy.paramKind }),
        matchConstraints: {
          resourceRules: policy.matched.map(({ group = GROUP, version = VERSION, resources }) => ({
            apiGroups: [group],
            apiVersions: [version],
            operations: policy.operations,
            resources,
          })),
        },
        ...(policy.conditions !== undefined && { matchConditions: named(policy.conditions) }),
        ...(policy.variables !== undefined && { variables: named(policy.variables) }),
        validations: policy.validations.map((validation) => ({ ...validation, reason: 'Forbidden' })),
      },
    },
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata,
      spec: {
        policyName: name,
        validationActions: ['Deny'],
        // Every object of the kind is looked at in turn; none at all refuses nothing.
        ...(policy.paramKind !== undefined && { paramRef: { selector: {}, parameterNotFoundAction: 'Allow' } }),
      },
    },
  ]
}

function named(expressions: Readonly<Record<string, string>>): readonly object[] {
  return Object.entries(expressions).map(([name, expression]) => ({ name, expression }))
}

/** CEL: the request comes from nobody of the platform. */
export function notPlatform(namespace: string): string {
  const { groups, users } = platformWriters(namespace)
  return `!request.userInfo.groups.exists(g, g in ${celList(groups)}) && !(request.userInfo.username in ${celList(users)})`
}

export function celList(values: readonly string[]): string {
  return `[${values.map((value) => `'${value}'`).join(', ')}]`
}

/** CEL variables: annotations and finalizers now and before; empty where there are none. */
export const NOW_AND_BEFORE: Readonly<Record<'now' | 'before', string>> = {
  now: 'has(object.metadata.annotations) ? object.metadata.annotations : {}',
  before: 'oldObject != null && has(oldObject.metadata.annotations) ? oldObject.metadata.annotations : {}',
}

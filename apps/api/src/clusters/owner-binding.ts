import { createHash } from 'node:crypto'
import { InputError } from '@ascribe/kit'
import { boundNamespaceRights, OWNER_BINDINGS } from '@ascribe/kinds'
import type { BindingLimits, CloudSigmaOwnerBinding, Evidence } from '@ascribe/kinds'
import { isKubeError, NAMESPACES } from '@ascribe/kube'
import type { KubeClient, KubeObject, Resource } from '@ascribe/kube'

/** Whom a namespace may be bound to, and how that is known. */
export type OwnerBindingRequest = {
  readonly namespace: string
  /** Default: that of the namespace which has the name now. */
  readonly namespaceUid?: string
  /** In the cloud; pinned for good. */
  readonly userUUID: string
  readonly email: string
  readonly impersonator: string
  readonly evidence: Evidence
  readonly limits?: BindingLimits
  /** RFC 3339. */
  readonly expiresAt?: string
  /** Where the controller is. Default ascribe-system. */
  readonly installedIn?: string
}

/** `found`: the namespace was bound to this owner already, by the same impersonator; nothing was changed. */
export type OwnerBindingResult = { readonly outcome: 'made' | 'found'; readonly binding: CloudSigmaOwnerBinding }

const ROLE_BINDINGS: Resource<KubeObject> = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  plural: 'rolebindings',
  kind: 'RoleBinding',
  namespaced: true,
}

/** One name for each namespace and owner, so that it is made once, whoever asks. */
export function bindingNameOf(namespace: string, userUUID: string): string {
  return `${namespace}-${createHash('sha256').update(`${namespace} ${userUUID}`).digest('hex').slice(0, 12)}`
}

/**
 * Binds a namespace to an owner: the CloudSigmaOwnerBinding, and the RoleBinding by which the controller reads Secrets of that namespace. Safe to
 * repeat; done again it makes what is missing. @throws {KubeError}; {InputError} when a binding of that name says something else
 */
export async function bindOwner(kube: KubeClient, request: OwnerBindingRequest): Promise<OwnerBindingResult> {
  const namespaceUid = request.namespaceUid ?? (await kube.get(NAMESPACES, { name: request.namespace })).metadata.uid ?? ''
  const result = await makeBinding(kube, request, namespaceUid)
  const { name, uid = '' } = result.binding.metadata
  const { installedIn } = request
  const rights = boundNamespaceRights({
    namespace: request.namespace,
    binding: { name: name ?? '', uid },
    ...(installedIn !== undefined && { installedIn }),
  })
  try {
    await kube.create(ROLE_BINDINGS, rights, { fieldManager: 'ascribe-api' })
  } catch (error) {
    if (!isKubeError(error, 'AlreadyExists')) throw error
  }
  return result
}

async function makeBinding(kube: KubeClient, request: OwnerBindingRequest, namespaceUid: string): Promise<OwnerBindingResult> {
  const { namespace, userUUID, email, impersonator, evidence, limits, expiresAt } = request
  const name = bindingNameOf(namespace, userUUID)
  const spec: CloudSigmaOwnerBinding['spec'] = {
    namespaceRef: { name: namespace, uid: namespaceUid },
    subject: { userUUID, emailAtBinding: email },
    impersonatorRef: { name: impersonator },
    evidence,
    ...(limits !== undefined && { limits }),
    ...(expiresAt !== undefined && { expiresAt }),
  }
  try {
    return { outcome: 'made', binding: await kube.create(OWNER_BINDINGS, { metadata: { name }, spec }, { fieldManager: 'ascribe-api' }) }
  } catch (error) {
    if (!isKubeError(error, 'AlreadyExists')) throw error
  }
  const binding = await kube.get(OWNER_BINDINGS, { name })
  const difference = differenceOf(binding, spec)
  if (difference === undefined) return { outcome: 'found', binding }
  throw new InputError(`Cannot bind namespace ${namespace} to ${userUUID}: binding ${name} ${difference}`, {
    hint: `Look at it with \`kubectl get ${OWNER_BINDINGS.plural} ${name} -o yaml\`; delete it, and bind again.`,
  })
}

/** Why a binding that is there cannot stand for the one that is wanted. */
function differenceOf({ metadata, spec }: CloudSigmaOwnerBinding, wanted: CloudSigmaOwnerBinding['spec']): string | undefined {
  if (metadata.deletionTimestamp !== undefined) return 'is being deleted'
  if (spec.namespaceRef.uid !== wanted.namespaceRef.uid) return 'is of an earlier namespace of that name'
  if (spec.subject.userUUID !== wanted.subject.userUUID) return 'is of another user'
  if (spec.impersonatorRef.name !== wanted.impersonatorRef.name) return `is of impersonator ${spec.impersonatorRef.name}`
  if (spec.expiresAt !== undefined && Date.parse(spec.expiresAt) <= Date.now()) return 'has expired'
  return undefined
}

import type { CreatedCluster, NewCluster } from '@ascribe/contract/writes'
import { AscribeError, InputError } from '@ascribe/kit'
import { ANNOTATION_PREFIX, ORGANIZATION_LABEL, OWNER_ANNOTATIONS } from '@ascribe/kinds'
import { KubeError, NAMESPACES } from '@ascribe/kube'
import type { KubeClient, KubeObject, Resource } from '@ascribe/kube'
import { Refusal } from '../errors.ts'
import type { Caller, OrganizationContext } from '../handler.ts'
import type { ClusterBackend } from './backend.ts'
import { bindOwner } from './owner-binding.ts'

const KDC_CLUSTERS: Resource<KubeObject> = {
  group: 'k8s.kube-dc.com',
  version: 'v1alpha1',
  plural: 'kdcclusters',
  kind: 'KdcCluster',
  namespaced: true,
}

type User = Extract<Caller, { kind: 'user' }>
type Evidence = NonNullable<User['evidence']>

/** Becomes the owner, by the word of the identity provider and nobody else's: the binding first, then the KdcCluster that names him. */
export async function create(backend: ClusterBackend, context: OrganizationContext, body: NewCluster): Promise<CreatedCluster> {
  const { evidence } = userOf(context.caller)
  const annotations = annotationsOf(body, evidence)
  context.note({ namespace: body.namespace, cluster: body.name, region: body.region })
  let bound: string | undefined
  try {
    const namespaceUid = await requireOwnNamespace(backend.kube, body.namespace, context.organizationId)
    const { userUUID } = await backend.discover({
      email: evidence.email,
      region: body.region,
      requester: evidence.subject,
      object: `KdcCluster ${body.namespace}/${body.name}`,
    })
    context.note({ owner: userUUID })
    const { binding } = await bindOwner(backend.kube, {
      namespace: body.namespace,
      namespaceUid,
      userUUID,
      email: evidence.email,
      impersonator: backend.impersonator,
      installedIn: backend.installedIn,
      evidence: { type: 'OIDC', issuer: evidence.issuer, sub: evidence.subject, iat: evidence.issuedAt, hash: evidence.hash },
    })
    const name = binding.metadata.name ?? ''
    bound = name
    context.note({ binding: name })
    const made = await backend.kube.create(
      KDC_CLUSTERS,
      { metadata: { name: body.name, namespace: body.namespace, annotations }, spec: body.spec },
      { fieldManager: 'ascribe-api' },
    )
    return { namespace: body.namespace, name: body.name, uid: made.metadata.uid ?? '', owner: userUUID, binding: name }
  } catch (error) {
    throw refusalOf(error, body, bound)
  }
}

/** A person, whose address the identity provider vouches for. A key is nobody in the cloud. */
function userOf(caller: Caller): { readonly evidence: Evidence } {
  if (caller.kind !== 'user')
    throw new Refusal('insufficient_scope', 'Only a user can become the owner of a cluster: sign in, or send a token.')
  if (caller.evidence === undefined)
    throw new Refusal(
      'insufficient_role',
      'The identity provider does not say that this mail address is verified: verify it, and sign in again.',
    )
  return { evidence: caller.evidence }
}

/** What was asked for, with the owner. Whoever names another one, or sets what is ours, is refused: nothing is left out in silence. */
function annotationsOf({ annotations = {} }: NewCluster, { email }: Evidence): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(annotations)) {
    // Kubernetes takes names of annotations in any case, and who else reads them may not look at it.
    const known = name.toLowerCase()
    if (OWNER_ANNOTATIONS.includes(known) && (value !== email || name !== known))
      throw new Refusal('invalid_request', `Cannot make the cluster: ${name} names another owner than who asks. Leave it out.`)
    if (known.startsWith(ANNOTATION_PREFIX))
      throw new Refusal('invalid_request', `Cannot make the cluster: ${name} is set by the platform alone. Leave it out.`)
  }
  const others = Object.entries(annotations).filter(([name]) => !OWNER_ANNOTATIONS.includes(name))
  return { ...Object.fromEntries(others), [OWNER_ANNOTATIONS[0]]: email }
}

/** A namespace that is another organization's, or nobody's, is as one that does not exist. */
async function requireOwnNamespace(kube: KubeClient, name: string, organizationId: string): Promise<string> {
  const namespace = await kube.tryGet(NAMESPACES, { name })
  if (namespace?.metadata.labels?.[ORGANIZATION_LABEL]?.toLowerCase() !== organizationId.toLowerCase())
    throw new Refusal('not_found', `There is no such namespace for this organization: its label ${ORGANIZATION_LABEL} has to name it.`)
  // Bound is the one that was looked at, and no other that has come in its place.
  return namespace.metadata.uid ?? ''
}

/** `bound`: the binding that stands by now. It is the caller's own word, and serves when he asks again; what stands is said. */
function refusalOf(error: unknown, { namespace, name }: NewCluster, bound: string | undefined): unknown {
  if (error instanceof Refusal) return error
  if (error instanceof KubeError) {
    if (error.reason === 'AlreadyExists')
      return new Refusal('conflict', `There is a cluster ${namespace}/${name} already.`, { cause: error })
    if (error.reason === 'Invalid')
      return new Refusal('invalid_request', `Cannot make the cluster: the management cluster refuses it (${fieldsOf(error)}).`, {
        cause: error,
      })
    const stands = bound === undefined ? 'nothing was left half done' : `you are bound to the namespace already, by ${bound}`
    return new Refusal('unavailable', `The management cluster does not take it now. Try again; ${stands}.`, { cause: error })
  }
  if (error instanceof InputError) return new Refusal('conflict', error.message, { cause: error })
  // The cloud or its authorization server: the words of ours say who refused, and hold nothing of a peer's.
  if (error instanceof AscribeError)
    return new Refusal('unavailable', `The cloud does not say who the owner is: ${error.message}.`, { cause: error })
  return error
}

function fieldsOf({ fields }: KubeError): string {
  return fields.length === 0 ? 'it does not say which field' : fields.slice(0, 10).map(String).join(', ')
}

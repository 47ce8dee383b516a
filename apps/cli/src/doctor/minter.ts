import { publishedCertificate } from '@ascribe/controller'
import { DEFAULT_CLIENT_SECRET, DEFAULT_NAMESPACE, MINTER, SERVICE_ACCOUNTS } from '@ascribe/kinds'
import type { CloudSigmaImpersonator } from '@ascribe/kinds'
import { isKubeError } from '@ascribe/kube'
import type { KubeClient } from '@ascribe/kube'
import type { Finding } from './examine.ts'

const what = 'minter'
const GUIDE = 'docs/guides/minter.md'

type SecretRef = { readonly namespace: string; readonly name: string }

/** Whether the minter is there, gets every client Secret, and the controller none (H-24). */
export async function examineMinter(kube: KubeClient, impersonators: readonly CloudSigmaImpersonator[]): Promise<Finding> {
  if (!(await isPublished(kube)))
    return {
      what,
      state: 'note',
      detail: `none has published a certificate in ${DEFAULT_NAMESPACE}: the controller mints itself, or nothing is minted`,
      mend: `${GUIDE} says what it guards against, and how it is run.`,
    }
  const mayGet = async (account: string, { namespace, name }: SecretRef): Promise<boolean> => {
    const resourceAttributes = { verb: 'get', resource: 'secrets', namespace, name }
    return (await kube.reviewAccess({ user: `system:serviceaccount:${DEFAULT_NAMESPACE}:${account}`, resourceAttributes })).allowed
  }
  for (const ref of secretsOf(impersonators)) {
    const name = `${ref.namespace}/${ref.name}`
    if (!(await mayGet(MINTER, ref)))
      return { what, state: 'wrong', detail: `${MINTER} may not get Secret ${name}`, mend: `Give it a Role for that name: ${GUIDE}.` }
    if (await mayGet(SERVICE_ACCOUNTS.controller, ref))
      return {
        what,
        state: 'wrong',
        detail: `${SERVICE_ACCOUNTS.controller} may get Secret ${name} too, with which it could act as everybody`,
        mend: 'Take that right away; a namespace that is bound to an owner is no place for it.',
      }
  }
  return { what, state: 'fine', detail: `its certificate is published; it gets the client Secret, and the controller does not` }
}

async function isPublished(kube: KubeClient): Promise<boolean> {
  try {
    return (await publishedCertificate(kube, DEFAULT_NAMESPACE)) !== ''
  } catch (error) {
    if (isKubeError(error, 'NotFound')) return false
    throw error
  }
}

function secretsOf(impersonators: readonly CloudSigmaImpersonator[]): readonly SecretRef[] {
  if (impersonators.length === 0) return [{ namespace: DEFAULT_NAMESPACE, name: DEFAULT_CLIENT_SECRET }]
  return impersonators.map(({ spec: { clientSecretRef: ref } }) => ({
    namespace: ref?.namespace ?? DEFAULT_NAMESPACE,
    name: ref?.name ?? DEFAULT_CLIENT_SECRET,
  }))
}

import { OWNER_BINDINGS } from '@ascribe/kinds'
import type { CloudSigmaOwnerBinding } from '@ascribe/kinds'
import { openKube } from '../kube/open-kube.ts'
import { writeList } from '../list-output.ts'
import type { Output } from '../output.ts'
import type { Surroundings } from '../surroundings.ts'

/** The bindings of a management cluster, for `ascribe owners list --kubeconfig`. */
export async function listBindings(out: Output, kubeconfig: string, { env }: Pick<Surroundings, 'env'>): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const kube = await openKube(kubeconfig, { env, stack })
  const { items } = await kube.list(OWNER_BINDINGS)
  await writeList(out, items, {
    columns: [
      { title: 'binding' },
      { title: 'namespace' },
      { title: 'user' },
      { title: 'address then' },
      { title: 'evidence' },
      { title: 'state' },
      { title: 'last trouble' },
    ],
    row: (binding) => {
      const { name } = binding.metadata
      const { namespaceRef, subject, evidence } = binding.spec
      const last = binding.status?.lastError
      return [name, namespaceRef.name, subject.userUUID, subject.emailAtBinding, evidence.type, stateOf(binding), last ?? '-']
    },
    json: (binding) => ({
      binding: binding.metadata.name,
      namespace: binding.spec.namespaceRef.name,
      namespace_uid: binding.spec.namespaceRef.uid,
      user_id: binding.spec.subject.userUUID,
      email_at_binding: binding.spec.subject.emailAtBinding,
      impersonator: binding.spec.impersonatorRef.name,
      evidence: binding.spec.evidence,
      limits: binding.spec.limits ?? {},
      expires_at: binding.spec.expiresAt ?? null,
      state: stateOf(binding),
      status: binding.status ?? {},
    }),
  })
}

/** Whether it authorizes now, as far as it says itself. */
export function stateOf({ metadata, spec }: CloudSigmaOwnerBinding): 'live' | 'revoked' | 'expired' {
  if (metadata.deletionTimestamp !== undefined) return 'revoked'
  return spec.expiresAt !== undefined && Date.parse(spec.expiresAt) <= Date.now() ? 'expired' : 'live'
}

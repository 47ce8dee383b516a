import type { ControlPlane } from './start.ts'

/** A token as the kubelet projects it: of a service account, bound to a pod of it, meant for one audience. No node runs the pod. */
export async function boundToken(
  { admin }: Pick<ControlPlane, 'admin'>,
  { namespace, account, audience }: { readonly namespace: string; readonly account: string; readonly audience: string },
): Promise<string> {
  const name = `${account}-0`
  const pods = `/api/v1/namespaces/${namespace}/pods`
  const made = await admin.post(pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      serviceAccountName: account,
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        { name: 'c', image: 'localhost/none', securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } },
      ],
    },
  })
  if (made.status >= 300 && made.status !== 409) throw new Error(`Cannot make a pod of ${account}: ${made.text.slice(0, 300)}`)
  const pod = (await admin.get(`${pods}/${name}`)).body as { readonly metadata: { readonly uid: string } }
  const answer = await admin.post(`/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: {
      audiences: [audience],
      expirationSeconds: 3600,
      boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid: pod.metadata.uid },
    },
  })
  const token = (answer.body as { readonly status?: { readonly token?: string } }).status?.token
  if (token === undefined) throw new Error(`Cannot get a token of ${account}: ${answer.text.slice(0, 300)}`)
  return token
}

import {
  CLUSTERS,
  DEFAULT_NAMESPACE,
  IMPERSONATORS,
  LEASE_NAME,
  MACHINES,
  MACHINE_TEMPLATES,
  OWNER_BINDINGS,
  SERVICE_ACCOUNTS,
  policies,
} from '@ascribe/kinds'
import type { CloudSigmaImpersonator, CloudSigmaOwnerBinding } from '@ascribe/kinds'
import { errorChain } from '@ascribe/kit'
import { LEASES, createKubeClient, createKubeConnection, isKubeError } from '@ascribe/kube'
import type { KubeClient, KubeObject, Resource } from '@ascribe/kube'
import type { Context } from '../context.ts'
import type { Finding } from './examine.ts'
import { examineMinter } from './minter.ts'

const INSTALL = 'ascribe manifests | kubectl apply --server-side -f -'
const ADMISSION = { group: 'admissionregistration.k8s.io', version: 'v1', namespaced: false } as const
const POLICIES: Resource<KubeObject> = { ...ADMISSION, plural: 'validatingadmissionpolicies', kind: 'ValidatingAdmissionPolicy' }
const POLICY_BINDINGS: Resource<KubeObject> = {
  ...ADMISSION,
  plural: 'validatingadmissionpolicybindings',
  kind: 'ValidatingAdmissionPolicyBinding',
}
/** A lease lives 15 s; what is older than this has no leader, or clocks that differ. */
const LEASE_OLD_MS = 60_000
const CLOCK_AHEAD_MS = 5000

/** Looks at the management cluster: what is installed, what the controller may do, who may be acted for, who leads. Changes nothing. */
export async function* examineKube(context: Context, kubeconfig: string): AsyncGenerator<Finding, void, undefined> {
  await using stack = new AsyncDisposableStack()
  let kube: KubeClient
  try {
    const connection = stack.use(await createKubeConnection(kubeconfig === 'in-cluster' ? { inCluster: true } : { kubeconfig }))
    kube = createKubeClient(connection)
    yield { what: 'management', state: 'fine', detail: connection.server }
  } catch (error) {
    yield {
      what: 'management',
      state: 'wrong',
      detail: errorChain(error),
      mend: 'See whether `kubectl get namespaces` works with this file.',
    }
    return
  }
  const served = yield* examineKinds(kube)
  if (!served) return
  yield await examinePolicies(kube)
  yield await examineRights(kube)
  const impersonators = yield* examineImpersonators(kube, context)
  yield* examineBindings(kube, impersonators)
  yield* examineMachines(kube)
  yield await examineLease(kube)
}

async function* examineKinds(kube: KubeClient): AsyncGenerator<Finding, boolean, undefined> {
  const missing: string[] = []
  for (const kind of [CLUSTERS, MACHINES, MACHINE_TEMPLATES, IMPERSONATORS, OWNER_BINDINGS] as readonly Resource<KubeObject>[]) {
    try {
      await kube.list(kind, { pageSize: 1, resourceVersion: '0' })
    } catch (error) {
      if (!isKubeError(error)) throw error
      missing.push(`${kind.plural}: ${error.reason === 'NotFound' || error.reason === 'NotServed' ? 'not there' : error.reason}`)
    }
  }
  yield missing.length === 0
    ? { what: 'kinds', state: 'fine', detail: 'all are served' }
    : { what: 'kinds', state: 'wrong', detail: missing.join('; '), mend: `Install them: ${INSTALL}` }
  return missing.length === 0
}

async function examinePolicies(kube: KubeClient): Promise<Finding> {
  const what = 'policies'
  const wanted = policies().flatMap(({ kind, metadata }) => (kind === POLICIES.kind ? [metadata.name ?? ''] : []))
  try {
    const there = new Set((await kube.list(POLICIES)).items.map(({ metadata }) => metadata.name))
    const bound = new Set(
      (await kube.list(POLICY_BINDINGS)).items.map((each) => Reflect.get(Object(Reflect.get(each, 'spec')), 'policyName') as unknown),
    )
    const missing = wanted.filter((name) => !there.has(name) || !bound.has(name))
    if (missing.length === 0) return { what, state: 'fine', detail: `${wanted.length} in force` }
    return {
      what,
      state: 'wrong',
      detail: `not in force: ${missing.join(', ')}: tenants could write what is the platform's`,
      mend: INSTALL,
    }
  } catch (error) {
    return unseen(what, error)
  }
}

/** What the controller cannot do without, and what it must not be able to. */
async function examineRights(kube: KubeClient): Promise<Finding> {
  const what = 'rights'
  const user = `system:serviceaccount:${DEFAULT_NAMESPACE}:${SERVICE_ACCOUNTS.controller}`
  const asks = (verb: string, resource: string, group = ''): Promise<boolean> =>
    kube.reviewAccess({ user, resourceAttributes: { verb, group, resource } }).then(({ allowed }) => allowed)
  try {
    const needed = [
      ['watch', MACHINES.plural, MACHINES.group],
      ['patch', MACHINES.plural, MACHINES.group],
      ['watch', OWNER_BINDINGS.plural, OWNER_BINDINGS.group],
    ] as const
    const lacking: string[] = []
    for (const [verb, resource, group] of needed) if (!(await asks(verb, resource, group))) lacking.push(`${verb} ${resource}`)
    if (lacking.length > 0) return { what, state: 'wrong', detail: `${user} may not ${lacking.join(', ')}`, mend: INSTALL }
    if (await asks('list', 'secrets'))
      return {
        what,
        state: 'wrong',
        detail: `${user} may list all Secrets`,
        mend: 'Take that away: it needs `get` in bound namespaces alone.',
      }
    return { what, state: 'fine', detail: `${user} has what it needs, and lists no Secrets` }
  } catch (error) {
    return unseen(what, error)
  }
}

async function* examineImpersonators(kube: KubeClient, { config }: Context): AsyncGenerator<Finding, ReadonlySet<string>, undefined> {
  const { items } = await kube.list(IMPERSONATORS)
  if (items.length === 0)
    yield { what: 'impersonators', state: 'note', detail: 'none: the variables of the controller stand in for one, named `environment`' }
  for (const item of items) yield impersonatorFinding(item, config.cloud.oauth_url)
  yield await examineMinter(kube, items).catch((error: unknown) => unseen('minter', error))
  return new Set(items.length === 0 ? ['environment'] : items.map(({ metadata }) => metadata.name ?? ''))
}

function impersonatorFinding({ metadata, spec, status }: CloudSigmaImpersonator, oauthUrl: string | undefined): Finding {
  const what = `impersonator ${metadata.name}`
  const bad = status?.conditions?.find((condition) => condition.status === 'False')
  if (bad !== undefined) return { what, state: 'wrong', detail: `${bad.reason}: ${bad.message}` }
  const mode = spec.allowedNamespaces?.mode ?? 'None'
  if (mode === 'None') return { what, state: 'wrong', detail: 'allows no namespace', mend: 'Set allowedNamespaces.mode.' }
  if (oauthUrl !== undefined && URL.parse(oauthUrl)?.origin !== URL.parse(spec.issuer)?.origin)
    return {
      what,
      state: 'note',
      detail: `its issuer is ${spec.issuer}, that of the settings here ${oauthUrl}: whoami and owners bind ask the latter`,
    }
  return { what, state: 'fine', detail: `${spec.issuer}, in ${spec.regions.map(({ name }) => name).join(', ')}, namespaces: ${mode}` }
}

async function* examineBindings(kube: KubeClient, impersonators: ReadonlySet<string>): AsyncGenerator<Finding, void, undefined> {
  const { items } = await kube.list(OWNER_BINDINGS)
  let live = 0
  for (const binding of items) {
    const trouble = troubleOf(binding, impersonators)
    if (trouble === undefined) live += 1
    else yield { what: `binding ${binding.metadata.name}`, state: trouble.isWrong ? 'wrong' : 'note', detail: trouble.text }
  }
  yield { what: 'bindings', state: live === 0 ? 'note' : 'fine', detail: live === 0 ? 'none: nobody is acted for' : `${live} live` }
}

function troubleOf(
  { metadata, spec, status }: CloudSigmaOwnerBinding,
  impersonators: ReadonlySet<string>,
): { readonly text: string; readonly isWrong: boolean } | undefined {
  if (metadata.deletionTimestamp !== undefined) return { text: 'revoked; machines of it still stand', isWrong: false }
  if (spec.expiresAt !== undefined && Date.parse(spec.expiresAt) <= Date.now())
    return { text: `expired at ${spec.expiresAt}`, isWrong: false }
  if (!impersonators.has(spec.impersonatorRef.name))
    return { text: `its impersonator ${spec.impersonatorRef.name} is not there`, isWrong: true }
  return status?.lastError === undefined || status.lastError === '' ? undefined : { text: status.lastError, isWrong: true }
}

async function* examineMachines(kube: KubeClient): AsyncGenerator<Finding, void, undefined> {
  const { items } = await kube.list(MACHINES)
  const ready = items.filter(({ status }) => status?.initialization?.provisioned === true).length
  yield {
    what: 'machines',
    state: ready === items.length ? 'fine' : 'note',
    detail: `${items.length}, ${ready} of them provisioned`,
    ...(ready < items.length && { mend: '`ascribe machines list --trouble` says what stands in the way.' }),
  }
}

async function examineLease(kube: KubeClient): Promise<Finding> {
  const what = 'leader'
  try {
    const lease = await kube.tryGet(LEASES, { namespace: DEFAULT_NAMESPACE, name: LEASE_NAME })
    const { holderIdentity, renewTime } = lease?.spec ?? {}
    if (holderIdentity === undefined || holderIdentity === '' || renewTime === undefined)
      return { what, state: 'note', detail: 'nobody has the lease: no controller runs with --leader-elect' }
    const age = Date.now() - Date.parse(renewTime)
    if (age < -CLOCK_AHEAD_MS)
      return {
        what,
        state: 'wrong',
        detail: `${holderIdentity} renews in the future: clocks differ by ${Math.round(-age / 1000)} s`,
        mend: 'Set the clock of whichever is wrong.',
      }
    if (age > LEASE_OLD_MS)
      return {
        what,
        state: 'wrong',
        detail: `${holderIdentity} has not renewed for ${Math.round(age / 1000)} s`,
        mend: 'Look at the logs of the controller.',
      }
    return { what, state: 'fine', detail: `${holderIdentity}, renewed ${Math.max(0, Math.round(age / 1000))} s ago` }
  } catch (error) {
    return unseen(what, error)
  }
}

/** Whoever looks may not see everything. */
function unseen(what: string, error: unknown): Finding {
  if (!isKubeError(error)) throw error
  return { what, state: 'note', detail: `cannot be looked at: ${error.message}` }
}

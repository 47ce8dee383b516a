import type { CloudSigma, Server } from '@ascribe/cloudsigma'
import { CloudSigmaError } from '@ascribe/cloudsigma'
import type { ActVerb } from '@ascribe/usage'
import type { Purpose } from '../authority/types.ts'
import type { ClusterView } from './cluster-view.ts'
import { nothingThere } from './refusals.ts'
import type { BrokerDeps, Caller } from './types.ts'

/** One request of one program for one cluster, on its way. */
export type Asking = {
  readonly deps: BrokerDeps
  readonly caller: Caller
  readonly view: ClusterView
  readonly query: URLSearchParams
  readonly body: string
}

/** Shorter than what programs wait for, and than the lead has left after a renewal. */
export const CALL_MS = 8000

/** The pinned account's client: authorized now, and for each of its requests. @throws {AuthorityError} */
export function cloudOf({ deps, caller, view }: Asking, purpose: Purpose = 'operate'): Promise<CloudSigma> {
  const { namespace, serviceAccount, uid, pod } = caller
  return deps.authority.cloudFor({
    pin: view.pin,
    namespace,
    purpose,
    actor: { object: `ServiceAccount/${serviceAccount}`, namespace, uid, requester: `pod/${pod}` },
    observe: (call) => deps.acts.observe(call),
  })
}

export type BrokerAct = { readonly verb: ActVerb; readonly resource?: { readonly type: 'server' | 'drive'; readonly uuid: string } }

/** Every change goes through the journal, in the cluster's name and with the pod that asked. */
export function perform<Result>(
  { deps, caller, view }: Asking,
  act: BrokerAct,
  call: (options: { readonly deadlineMs: number }) => Promise<Result>,
): Promise<Result> {
  const { pin, cluster } = view
  deps.logger.info('a program changes something in the cloud', {
    verb: act.verb,
    resource: act.resource?.uuid,
    cluster: cluster.metadata.name,
    namespace: caller.namespace,
    pod: caller.pod,
  })
  return deps.acts.perform(
    {
      ...act,
      account: { kind: pin.kind, userUUID: pin.userUUID, region: pin.region, ...(pin.binding !== undefined && { binding: pin.binding }) },
      machine: {
        kind: 'CloudSigmaCluster',
        namespace: caller.namespace,
        name: cluster.metadata.name,
        uid: cluster.metadata.uid ?? '',
        cluster: cluster.metadata.name,
      },
      deadlineMs: CALL_MS,
      requestedBy: `serviceaccount:${caller.namespace}/${caller.serviceAccount}`,
    },
    () => call({ deadlineMs: CALL_MS }),
  )
}

/** A server of this cluster. @throws {BrokerRefusal} 404 */
export async function serverOf(asking: Asking, uuid: string): Promise<Server> {
  if (!asking.view.servers.has(uuid)) throw nothingThere()
  const cloud = await cloudOf(asking)
  const server = await orNothing(cloud.servers.get(uuid, { deadlineMs: CALL_MS }))
  // The machine says that it is ours; the cloud has to say so too.
  if (server.owner?.uuid !== asking.view.pin.userUUID) throw nothingThere()
  return server
}

/** What the cloud says is gone is what was never there. */
export async function orNothing<Item>(reading: Promise<Item>): Promise<Item> {
  try {
    return await reading
  } catch (thrown) {
    if (thrown instanceof CloudSigmaError && thrown.fault.kind === 'notFound') throw nothingThere()
    throw thrown
  }
}

import { CALL_MS, cloudOf, serverOf } from './asking.ts'
import type { Asking } from './asking.ts'
import { createAttachments } from './attachments.ts'
import { createCallers } from './callers.ts'
import { viewOf } from './cluster-view.ts'
import { profileOf } from './grants.ts'
import { BrokerRefusal, nothingThere, replyOf, unauthenticated } from './refusals.ts'
import { operationOf, placeOf } from './routes.ts'
import type { Operation } from './routes.ts'
import { createTurns } from './turns.ts'
import { BROKER_AUDIENCE } from './types.ts'
import type { BrokerDeps, BrokerReply, BrokerRequest } from './types.ts'
import { createVolumes } from './volumes.ts'
import { pageForm, serverForm } from './wire-form.ts'

export type Broker = {
  /** Answers one request. Never throws. */
  answer(request: BrokerRequest): Promise<BrokerReply>
}

const LIST_GRACE_MS = 30_000
/** Uuids in one query. */
const UUIDS_MAX = 50

/**
 * Carries requests of a cluster's programs to the cloud, so that no token has to be given to them (R-9, H-2, H-11): who asks, for which
 * cluster, what, each an allow-list; then as the account that is pinned on the cluster, authorized anew.
 */
export function createBroker(deps: BrokerDeps): Broker {
  const { clocks, logger, meters } = deps
  const callers = createCallers(deps.kube, { audience: BROKER_AUDIENCE, clocks })
  const volumes = createVolumes({ listGraceMs: deps.listGraceMs ?? LIST_GRACE_MS, monotonic: clocks.monotonic })
  const attachments = createAttachments()
  const turns = createTurns(clocks)
  const requests = meters.counter('ascribe_broker_requests_total', 'Requests to the broker by operation and status.')

  async function route({ method, url, authorization, body }: BrokerRequest, seen: { operation: string }): Promise<BrokerReply> {
    // Who asks comes first: whoever is nobody learns nothing about paths or clusters.
    const caller = await callers.identify(authorization)
    if (caller === undefined) throw unauthenticated()
    turns.take(`${caller.namespace}/${caller.serviceAccount}`)
    const { namespace, cluster: name, rest, query } = placeOf(url)
    if (namespace !== caller.namespace) throw nothingThere()
    const cluster = deps.clusters.get({ namespace, name })
    const profile = cluster === undefined ? undefined : profileOf(cluster, caller.serviceAccount)
    if (cluster === undefined || profile === undefined) throw nothingThere()
    const operation = operationOf({ method, rest, query, profile })
    seen.operation = operation.do
    const view = viewOf(cluster, { machines: deps.machines.list(namespace), proofKey: deps.proofKey })
    if (view === undefined) throw nothingThere()
    return run({ deps, caller, view, query, body }, operation)
  }

  function run(asking: Asking, operation: Operation): Promise<BrokerReply> {
    switch (operation.do) {
      case 'list-servers':
        return listServers(asking)
      case 'get-server':
        return serverOf(asking, operation.uuid).then((server) => ({ status: 200, body: serverForm(server) }))
      case 'change-drives':
        return attachments.change(asking, operation.uuid)
      case 'list-volumes':
        return volumes.list(asking)
      case 'get-volume':
        return volumes.get(asking, operation.uuid)
      case 'create-volume':
        return volumes.create(asking)
      case 'resize-volume':
        return volumes.resize(asking, operation.uuid)
      case 'delete-volume':
        return volumes.remove(asking, operation.uuid)
    }
  }

  return {
    async answer(request) {
      const seen = { operation: 'none' }
      let reply: BrokerReply
      try {
        reply = await route(request, seen)
      } catch (thrown) {
        const { isExpected, ...refusal } = replyOf(thrown, deps.authority)
        reply = refusal
        const fields = { operation: seen.operation, status: reply.status, error: thrown }
        if (!isExpected) logger.warn('broker could not answer', fields)
        else if (!(thrown instanceof BrokerRefusal)) logger.debug('broker refused', fields)
      }
      requests.add(1, { operation: seen.operation, status: String(reply.status) })
      return reply
    },
  }
}

async function listServers(asking: Asking): Promise<BrokerReply> {
  const { view, query } = asking
  const uuids = [...view.servers]
  const cloud = await cloudOf(asking)
  const objects = []
  for (let start = 0; start < uuids.length; start += UUIDS_MAX) {
    const page = await cloud.servers.list({ uuids: uuids.slice(start, start + UUIDS_MAX) }, { deadlineMs: CALL_MS })
    // A filter that the API does not know answers everything: what was asked for is looked for in it.
    for (const server of page)
      if (view.servers.has(server.uuid) && server.owner?.uuid === view.pin.userUUID)
        objects.push({ uuid: server.uuid, name: server.name, form: serverForm(server) })
  }
  return { status: 200, body: pageForm(objects, query) }
}

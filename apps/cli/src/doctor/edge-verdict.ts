import type { RawReply } from '@ascribe/service'
import type { Finding } from './examine.ts'

/** What a gateway says has arrived of a request (ADR 0099). */
export type Arrival = {
  readonly identifiedBy: 'headers' | 'key'
  readonly peer: string
  readonly authId: string
  readonly resourceId: string | undefined
  /** Every identity header, as it came. */
  readonly headers: readonly (readonly [string, string])[]
}

type Verdict = Omit<Finding, 'what'>

/** `undefined`: the reply is not a gateway's answer to a probe. */
export function readArrival({ status, body }: RawReply): Arrival | undefined {
  if (status !== 200) return undefined
  let said: unknown
  try {
    said = JSON.parse(body)
  } catch {
    return undefined
  }
  if (typeof said !== 'object' || said === null || !('object' in said) || said.object !== 'ascribe.edge_probe') return undefined
  const fields = said as Readonly<Record<string, unknown>>
  const headers = Array.isArray(fields['headers']) ? fields['headers'].filter(isField) : []
  return {
    identifiedBy: fields['identified_by'] === 'headers' ? 'headers' : 'key',
    peer: String(fields['peer']),
    authId: String(fields['auth_id']),
    resourceId: typeof fields['resource_id'] === 'string' ? fields['resource_id'] : undefined,
    headers,
  }
}

function isField(value: unknown): value is readonly [string, string] {
  return Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'string'
}

/** Of a request with nothing forged: whether the chain is whole. */
export function judgeHonest(
  reply: RawReply,
  { expectedAuthId, prefix }: { readonly expectedAuthId: string | undefined; readonly prefix: string },
): Verdict {
  const arrived = readArrival(reply)
  if (arrived === undefined) return unreached(reply)
  const { identifiedBy, peer, authId, resourceId } = arrived
  if (identifiedBy === 'key') {
    return {
      state: 'wrong',
      detail: `the gateway goes by the key itself, not by what the edge says of it: to it the request comes from ${peer}`,
      mend: `If ${peer} is the proxy, put it into gateway.trust_headers_from or gateway.trusted_peers; then let the proxy hand on ${prefix}Auth-Id of the edge's answer.`,
    }
  }
  if (expectedAuthId !== undefined && authId !== expectedAuthId) {
    return {
      state: 'wrong',
      detail: `the key is of ${expectedAuthId}, and ${authId} arrived`,
      mend: 'The proxy sets the auth id from somewhere else.',
    }
  }
  const resource = resourceId === undefined ? "the resource of the model's route" : `resource ${resourceId}`
  return { state: 'fine', detail: `auth id ${authId}, ${resource}, from ${peer}` }
}

function unreached({ status, body }: RawReply): Verdict {
  const missing = /missing required billing identity: ([^\n]*)/.exec(body)?.[1]
  if (missing !== undefined) {
    return {
      state: 'wrong',
      detail: `the gateway is not told ${missing}`,
      mend: 'Let the proxy hand on what the edge answers. If the edge knows no resource here: edge.rules, or resource: from-model in gateway.trusted_peers.',
    }
  }
  if (body.includes('edge_probe_not_taken')) {
    return {
      state: 'wrong',
      detail: 'the gateway has another server secret, or another time',
      mend: "Run this with the gateway's server_secret.",
    }
  }
  if (status === 401 || status === 403) {
    return {
      state: 'wrong',
      detail: `refused (${status}): ${shown(body)}`,
      mend: 'Use a key that may be used for inference, and that the edge knows.',
    }
  }
  return {
    state: 'wrong',
    detail: status === 0 ? 'the connection ended without an answer' : `no gateway answers: ${status}, ${shown(body)}`,
    mend: 'See that the proxy, the edge and the gateway run, and that the URL is that of the API.',
  }
}

export type Judged = { readonly baseline: Arrival; readonly canary: string }

/** Of a forged request with a good key: it is refused, or arrives as the honest one did. */
export function judge(reply: RawReply, { baseline, canary }: Judged): Verdict {
  const broken = reachedBroken(reply)
  if (broken?.kind === 'repeated') {
    return { state: 'wrong', detail: `the client's ${broken.name} arrived beside the edge's`, mend: STRIP }
  }
  const arrived = readArrival(reply)
  if (arrived === undefined) {
    // What is refused is nobody's: a client that takes away what the edge has said hurts itself alone.
    if (broken !== undefined) return { state: 'fine', detail: `refused (400) by the gateway, which is not told ${broken.name}` }
    if (reply.status >= 400 || reply.status === 0)
      return { state: 'fine', detail: reply.status === 0 ? 'refused without an answer' : `refused (${reply.status})` }
    return { state: 'note', detail: `answered ${reply.status}, not by the gateway` }
  }
  const forged = arrived.headers.filter(([, value]) => value.includes(canary)).map(([name]) => name)
  if (forged.length > 0) return { state: 'wrong', detail: `forged headers arrive: ${[...new Set(forged)].join(', ')}`, mend: STRIP }
  const changed = differences(arrived, baseline)
  if (changed.length > 0) return { state: 'wrong', detail: `the client changes what arrives: ${changed.join(', ')}`, mend: STRIP }
  return { state: 'fine', detail: 'nothing forged arrives' }
}

const STRIP = 'Let the proxy remove every identity header of its client before it asks the edge: see deploy/ and docs/guides/edge.md.'

/** Without a good key nothing may get as far as the gateway. */
export function judgeWithoutKey(reply: RawReply): Verdict {
  const broken = reachedBroken(reply)
  if (readArrival(reply) !== undefined || broken !== undefined) {
    return {
      state: 'wrong',
      detail: 'it reaches the gateway without a good key',
      mend: 'Let the proxy ask the edge about every request, and refuse when it is not told yes.',
    }
  }
  if (reply.status >= 200 && reply.status < 400) return { state: 'note', detail: `answered ${reply.status}, not by the gateway` }
  return { state: 'fine', detail: `refused (${reply.status})` }
}

/** What only a gate says, to a peer that it trusts. */
function reachedBroken({ status, body }: RawReply): { readonly kind: 'repeated' | 'missing'; readonly name: string } | undefined {
  if (status !== 400) return undefined
  const [, kind, name = ''] = /^(repeated|missing required) billing identity: ([^\n]*)/.exec(body) ?? []
  return kind === undefined ? undefined : { kind: kind === 'repeated' ? 'repeated' : 'missing', name }
}

function differences(arrived: Arrival, baseline: Arrival): string[] {
  const changed: string[] = []
  if (arrived.identifiedBy !== baseline.identifiedBy) changed.push(`identified by ${arrived.identifiedBy}`)
  if (arrived.authId !== baseline.authId) changed.push(`auth id ${arrived.authId}`)
  if (arrived.resourceId !== baseline.resourceId) changed.push(`resource ${arrived.resourceId ?? 'none'}`)
  const flat = ({ headers }: Arrival): string[] =>
    headers
      .filter(([, value]) => value.trim() !== '')
      .map(([name, value]) => `${name.toLowerCase()}: ${value}`)
      .toSorted()
  const [now, before] = [flat(arrived), flat(baseline)]
  changed.push(...now.filter((each) => !before.includes(each)), ...before.filter((each) => !now.includes(each)).map((each) => `no ${each}`))
  return changed
}

function shown(body: string): string {
  return JSON.stringify(body.trim().slice(0, 160))
}

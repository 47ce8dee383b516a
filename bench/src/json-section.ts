import { compare } from './compare.ts'
import type { Compared } from './compare.ts'
import type { Field } from './field.ts'
import { number } from './report.ts'
import type { Section, Target } from './report.ts'
import type { Setting } from './setting.ts'

const CONNECTIONS = 64
const WARM_COUNT = 30_000

/** CPU a request: 400 bytes in, 1.5 KB of JSON out, 64 connections that ask again at once. */
export async function measureJson(setting: Setting, field: Field): Promise<Section> {
  const { peer, quick, progress } = setting
  progress('JSON replies, closed loop')
  const seconds = quick ? 0.6 : 1.2
  const compared = await compare({
    peer,
    sentinel: field.nginx,
    contestants: [field.relay, field.gateway, field.gateway.byKey, field.gatewayAsync, ...(field.portkey ? [field.portkey] : [])],
    rounds: quick ? 1 : 4,
    stream: false,
    // Portkey's warm-up would take a minute; it is far enough away for that not to matter.
    load: ({ loose }) => ({ connections: CONNECTIONS, warmSeconds: 0.3, warmCount: quick || loose === true ? 3_000 : WARM_COUNT, seconds }),
    units: ({ completed }) => completed,
  })
  return {
    name: 'json',
    title: `CPU of one request: JSON, 400 B in, 1.5 KB out, ${CONNECTIONS} connections, closed loop`,
    columns: ['', 'µs CPU', 'x nginx', '(from', 'to)', 'requests/s'],
    rows: compared.map((one) => comparedRow(one, one.perSecond)),
    notes: compared.flatMap(({ name, faults }) => (faults === undefined ? [] : [`${name}: ${faults}`])),
    targets: targetsOf(compared, field),
    raw: compared,
  }
}

function targetsOf(compared: readonly Compared[], field: Field): Target[] {
  const find = (name: string | undefined): Compared | undefined => compared.find((one) => one.name === name)
  const gateway = find(field.gateway.name)
  const portkey = find(field.portkey?.name)
  const targets: Target[] = []
  if (gateway?.ratio !== undefined)
    targets.push({ what: 'whole gateway, durable, against nginx', value: gateway.ratio, limit: 3.5, kind: 'most', unit: ' x' })
  const relay = find(field.relay.name)
  if (gateway !== undefined && relay !== undefined)
    targets.push({
      what: 'what metering adds to our own bare relay, durable hold included',
      value: gateway.costUs - relay.costUs,
      limit: 6,
      kind: 'most',
      unit: ' µs',
    })
  if (gateway?.ratio !== undefined && portkey?.ratio !== undefined)
    targets.push({
      what: 'whole gateway, durable, against Portkey',
      value: gateway.ratio / portkey.ratio,
      limit: 1 / 12,
      kind: 'most',
      unit: ' x',
    })
  return targets
}

/** A contestant's line in a table of costs. */
export function comparedRow(one: Compared, perSecond: number): string[] {
  const [from, to] = one.spread ?? [Number.NaN, Number.NaN]
  return [one.name, number(one.costUs), number(one.ratio ?? Number.NaN), number(from), number(to), number(perSecond)]
}

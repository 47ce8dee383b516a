import { compare } from './compare.ts'
import type { Compared } from './compare.ts'
import type { Contestant } from './contestants.ts'
import type { Field } from './field.ts'
import { comparedRow } from './json-section.ts'
import { number } from './report.ts'
import type { Section, Target } from './report.ts'
import type { Setting } from './setting.ts'

const EVENTS = 50
const INTERVAL_MS = 20
const STREAMS = 400
/** What Portkey can take. */
const STREAMS_OF_SLOW = 100
const WARM_COUNT = 40_000

/** CPU of one event of a stream: 50 events of 300 bytes, 20 ms apart, hundreds of streams at once. */
export async function measureSse(setting: Setting, field: Field): Promise<Section> {
  const { peer, quick, progress } = setting
  progress('streams, an event every 20 ms')
  const streams = ({ loose }: Contestant): number => (loose === true ? STREAMS_OF_SLOW : STREAMS)
  const compared = await compare({
    peer,
    sentinel: field.nginx,
    contestants: [field.relay, field.gateway, ...(quick ? [] : [field.gatewayAsync]), ...(field.portkey && !quick ? [field.portkey] : [])],
    rounds: quick ? 1 : 3,
    stream: true,
    load: (contestant) => ({
      connections: streams(contestant),
      // The first streams start spread over one second.
      warmSeconds: 1.1,
      warmCount: quick || contestant.loose === true ? 5_000 : WARM_COUNT,
      seconds: quick ? 1 : 1.5,
      events: EVENTS,
      intervalMs: INTERVAL_MS,
    }),
    units: ({ chunks }) => chunks,
  })
  const delays = compared.map(({ runs }) => Math.min(...runs.map(({ result }) => result.chunkUs.p50)))
  return {
    name: 'sse',
    title: `CPU of one streamed event: ${EVENTS} events of 300 B, ${INTERVAL_MS} ms apart, ${STREAMS} streams (Portkey ${STREAMS_OF_SLOW})`,
    columns: ['', 'µs CPU', 'x nginx', '(from', 'to)', 'events/s', 'delay p50 µs'],
    rows: compared.map((one, index) => [...comparedRow(one, eventsPerSecond(one)), number(delays[index] ?? Number.NaN)]),
    notes: compared.flatMap(({ name, faults }) => (faults === undefined ? [] : [`${name}: ${faults}`])),
    targets: targetsOf(compared, field),
    raw: compared,
  }
}

function eventsPerSecond({ runs }: Compared): number {
  return Math.max(...runs.map(({ result }) => result.chunks / result.seconds))
}

function targetsOf(compared: readonly Compared[], field: Field): Target[] {
  const gateway = compared.find(({ name }) => name === field.gateway.name)
  if (gateway?.ratio === undefined) return []
  return [{ what: 'whole gateway, durable, an event against nginx', value: gateway.ratio, limit: 2.5, kind: 'most', unit: ' x' }]
}

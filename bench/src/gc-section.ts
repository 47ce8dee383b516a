import { faultsOf } from './compare.ts'
import { startWholeGateway } from './contestants.ts'
import { number } from './report.ts'
import type { Section } from './report.ts'
import { requestBytes } from './requests.ts'
import type { Setting } from './setting.ts'

const CONNECTIONS = 64
const WARM_COUNT = 60_000
/** Of the time in which the gateway has as much to do as it can. */
const SHARE_MAX = 3

type Collected = { readonly collections: number; readonly totalMs: number; readonly longestMs: number }

/** What the garbage collector takes of a gateway that is as busy as it can be. */
export async function measureGc(setting: Setting): Promise<Section> {
  const { peer, quick, progress, scratch } = setting
  progress('garbage collection at saturation')
  const nodeArguments = ['--import', new URL('./gc-process.ts', import.meta.url).href]
  await using gateway = await startWholeGateway(peer.port, { ack: 'durable', scratch, nodeArguments })
  const collected = async (): Promise<Collected> => {
    process.kill(gateway.pid, 'SIGUSR2')
    return gateway.next<Collected>()
  }
  const load = {
    port: gateway.port,
    request: requestBytes(gateway.headers, { stream: false }),
    connections: CONNECTIONS,
    pids: [gateway.pid],
  }
  await peer.run({ ...load, warmSeconds: 0.3, warmCount: quick ? 5_000 : WARM_COUNT, seconds: 0.2 })
  const before = await collected()
  const result = await peer.run({ ...load, warmSeconds: 0, seconds: quick ? 1 : 5 })
  const after = await collected()
  const spentMs = after.totalMs - before.totalMs
  const collections = after.collections - before.collections
  const share = (100 * spentMs) / (1000 * (result.user + result.system))
  const faults = faultsOf([result])
  return {
    name: 'gc',
    title: `Garbage collection: JSON, ${CONNECTIONS} connections, closed loop, ${number(result.completed / result.seconds)} requests/s`,
    columns: ['', ''],
    rows: [
      ['of the CPU that the gateway used, %', number(share)],
      ['collections', number(collections)],
      ['requests a collection', number(result.completed / Math.max(1, collections))],
      ['longest pause, ms', number(after.longestMs)],
    ],
    notes: faults === undefined ? [] : [faults],
    targets: [{ what: 'garbage collection at saturation', value: share, limit: SHARE_MAX, kind: 'most', unit: ' %' }],
    raw: { before, after, result },
  }
}

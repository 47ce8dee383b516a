import type { ImpersonatedToken, TokenSource } from '@ascribe/impersonation'
import { collectGarbage, heldBytes, usedBytes } from './heap.ts'
import { ownerOf, sourceOf } from './impersonation/instant-cloud.ts'
import { measureFirst } from './impersonation/first-operation.ts'
import { simulateHits } from './impersonation/hit-rate.ts'
import type { HitRun } from './impersonation/hit-rate.ts'
import { number } from './report.ts'
import type { Section, Target } from './report.ts'

export type ImpersonationSetting = { readonly quick: boolean; readonly progress: (what: string) => void }

const OWNERS = 1_000
const HELD = 10_000

type GetRun = {
  readonly tokenBytes: number
  readonly getUs: number
  readonly floorUs: number
  readonly headerUs: number
  readonly bytesAGet: number
}

/** The token source by itself: what a token costs that is there, how often it is there, what it weighs, and what the first one costs. */
export async function measureImpersonation({ quick, progress }: ImpersonationSetting): Promise<Section> {
  progress('tokens out of the cache')
  const gets: GetRun[] = []
  for (const tokenBytes of [1_000, 16_000]) gets.push(await measureGets(tokenBytes, quick ? 100_000 : 500_000))
  progress('memory of cached owners')
  const bytesAnOwner = await measureMemory(1_500)
  progress('the first token, on the sandbox cloud')
  const first = await measureFirst(quick ? 5 : 25)
  progress('hit rates of 1,000 owners')
  const hits: HitRun[] = []
  for (const lifeS of [60, 300, 3_600])
    for (const pattern of ['steady', 'sparse'] as const) hits.push(await simulateHits({ lifeS, pattern, owners: quick ? 100 : OWNERS }))
  const [small, large] = gets
  return {
    name: 'impersonation',
    title: 'Tokens that act as a user: the cache, and the first one',
    columns: ['', 'value', 'beside it'],
    rows: [
      ...gets.map((one) => [
        `cached get, token of ${number(one.tokenBytes)} B, µs`,
        number(one.getUs),
        `${number(one.floorUs)} Map.get and a promise`,
      ]),
      ...gets.map((one) => [`allocated a get, token of ${number(one.tokenBytes)} B, B`, number(one.bytesAGet), '']),
      ...gets.map((one) => [`its Authorization header, token of ${number(one.tokenBytes)} B, µs`, number(one.headerUs), '']),
      ['memory of a cached owner, token of 1,500 B, B', number(bytesAnOwner), `${number(bytesAnOwner - 1_500)} beside the token`],
      ['first operation, ms', number(first.totalMs), `${number(first.stepsMs)} the three calls alone`],
      ...hits.map((run) => [
        `hit rate, tokens of ${number(run.lifeS)} s, ${run.what}, %`,
        number(run.rate * 100),
        `${number(run.mintsAnOwnerHour)} mints an owner and hour`,
      ]),
    ],
    notes: [
      `${number(OWNERS)} owners; steady: a reconcile of 5 requests every 10 s on average (Poisson); sparse: one request every 30 s`,
      'the first operation is with new connections, the assertion of the profile and an audit record; sandbox cloud in the same process, median',
    ],
    targets: [
      { what: 'cached get', value: small?.getUs ?? NaN, limit: 2, kind: 'most', unit: ' µs' },
      {
        what: 'allocated a get with a token 16 times as long, against a short one',
        value: ratioOf(large, small),
        limit: 1.2,
        kind: 'most',
        unit: ' x',
      },
      {
        what: 'first operation over its three upstream calls',
        value: first.totalMs - first.stepsMs,
        limit: 500,
        kind: 'most',
        unit: ' ms',
      },
      ...hits.flatMap((run) => (run.least === undefined ? [] : [hitTarget(run, run.least)])),
    ],
    raw: { gets, bytesAnOwner, first, hits },
  }
}

function hitTarget(run: HitRun, least: number): Target {
  return { what: `hit rate, tokens of ${number(run.lifeS)} s`, value: run.rate * 100, limit: least * 100, kind: 'least', unit: ' %' }
}

function ratioOf(large: GetRun | undefined, small: GetRun | undefined): number {
  return (large?.bytesAGet ?? NaN) / (small?.bytesAGet ?? NaN)
}

async function measureGets(tokenBytes: number, count: number): Promise<GetRun> {
  using source = sourceOf({ tokenBytes, lifeMs: 3_600_000 })
  const owners = Array.from({ length: OWNERS }, (_, owner) => ownerOf(owner))
  const tokens: ImpersonatedToken[] = []
  for (const owner of owners) tokens.push(await source.token(owner))
  const floor = new Map(owners.map((owner, index) => [owner.ownerUuid, tokens[index]]))

  const get = (index: number): Promise<unknown> => source.token(owners[index % OWNERS] ?? ownerOf(0))
  const bare = (index: number): Promise<unknown> => Promise.resolve(floor.get(owners[index % OWNERS]?.ownerUuid ?? ''))
  const header = (index: number): Promise<unknown> => Promise.resolve(tokens[index % OWNERS]?.authorization(tokens[0]?.origin ?? ''))
  const times = { getUs: Infinity, floorUs: Infinity, headerUs: Infinity }
  for (let round = 0; round < 5; round += 1) {
    times.getUs = Math.min(times.getUs, await timeOf(get, count / 5))
    times.floorUs = Math.min(times.floorUs, await timeOf(bare, count / 5))
    times.headerUs = Math.min(times.headerUs, await timeOf(header, count / 20))
  }
  return { tokenBytes, ...times, bytesAGet: await allocatedBy(get, 2_000) }
}

async function timeOf(act: (index: number) => Promise<unknown>, count: number): Promise<number> {
  const started = performance.now()
  for (let index = 0; index < count; index += 1) await act(index)
  return ((performance.now() - started) * 1000) / count
}

/** Few enough not to be collected meanwhile. */
async function allocatedBy(act: (index: number) => Promise<unknown>, count: number): Promise<number> {
  let least = Infinity
  for (let round = 0; round < 5; round += 1) {
    await collectGarbage()
    const before = usedBytes()
    for (let index = 0; index < count; index += 1) await act(index)
    least = Math.min(least, (usedBytes() - before) / count)
  }
  return least
}

async function measureMemory(tokenBytes: number): Promise<number> {
  await collectGarbage()
  const before = heldBytes()
  const source: TokenSource = sourceOf({ tokenBytes, lifeMs: 3_600_000 })
  for (let owner = 0; owner < HELD; owner += 1) await source.token(ownerOf(owner))
  await collectGarbage()
  const after = heldBytes()
  const { entries } = source.inspect()
  source[Symbol.dispose]()
  return (after - before) / entries
}

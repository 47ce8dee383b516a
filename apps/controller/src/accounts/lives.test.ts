import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Meta } from '@ascribe/cloudsigma'
import type { Server } from '@ascribe/cloudsigma'
import type { Text } from '@ascribe/journal'
import { silentLogger } from '@ascribe/kit'
import type { MachineNote, StatedUsage, UsageRecord } from '@ascribe/usage'
import fc from 'fast-check'
import { createLives } from './lives.ts'
import type { CloudHistory, Lives, Observation } from './types.ts'

const HOUR = 3_600_000
const T0 = Date.UTC(2026, 10, 1)
const SERVER = '0c7b1a52-13b5-4a0f-9a43-6f3a4f1a2b3c'
const OWNER = 'f2a9e6a0-6a55-4f0e-9d5e-1b2c3d4e5f60'
const DISK = 30 * 2 ** 30 + 512

/** A journal that keeps what is given to it; `fails` makes it take nothing. */
function createMemoryJournal() {
  const journal = {
    payloads: [] as (StatedUsage | MachineNote)[],
    fails: false,
    admit(eventId: string) {
      const written = journal.fails ? Promise.reject(new Error('full')) : Promise.resolve()
      written.catch(() => {})
      const settle = async (text: Text): Promise<void> => void journal.payloads.push(JSON.parse(String(text)))
      return { eventId, written, isPlaced: true, settlementBound: 1e6, settle }
    },
    sync: () => Promise.resolve(),
    /** Each record once; one that was stated again must be the same. */
    records(): readonly UsageRecord[] {
      const byId = new Map<string, UsageRecord>()
      for (const payload of journal.payloads) {
        if (payload.kind !== 'usage') continue
        const before = byId.get(payload.record.eventId)
        if (before !== undefined) assert.deepEqual(payload.record, before, 'stated again with other content')
        byId.set(payload.record.eventId, payload.record)
      }
      return [...byId.values()].toSorted((a, b) => a.startedAt - b.startedAt)
    },
  }
  return journal
}

type Journal = ReturnType<typeof createMemoryJournal>

/** What truly happened to a machine: from `at` on it takes this. `undefined`: it is gone. */
type Fact =
  | { readonly at: number; readonly isRunning: boolean; readonly cpu: number; readonly mem: number }
  | { readonly at: number; readonly gone: true }

type World = { readonly facts: readonly Fact[]; now: number; annotation: string | undefined }

const factAt = (facts: readonly Fact[], at: number): Fact | undefined => facts.findLast((fact) => fact.at <= at)

function serverAt({ facts, now }: World): Server | undefined {
  const fact = factAt(facts, now)
  if (fact === undefined || 'gone' in fact) return undefined
  const started = fact.isRunning ? fact.at : undefined
  return {
    uuid: SERVER,
    permissions: [],
    tags: [],
    meta: new Meta(),
    name: 'm',
    status: fact.isRunning ? 'running' : 'stopped',
    cpuMhz: fact.cpu,
    memBytes: fact.mem,
    drives: [{ drive: 'd' }],
    nics: [{ ipV4: { conf: 'dhcp' } }],
    ...(started !== undefined && { activeSince: new Date(started).toISOString() }),
  }
}

/** The cloud's log, as it says it. */
const historyOf =
  ({ facts, now }: World): CloudHistory =>
  () =>
    Promise.resolve(
      facts
        .filter(({ at }) => at <= now)
        .map((fact) => ({
          uuid: SERVER,
          action: 'gone' in fact ? 'delete' : fact.isRunning ? 'start_send' : 'stop',
          at: new Date(fact.at).toISOString(),
        })),
    )

function observationOf(world: World, hasHistory: boolean): Observation {
  const server = serverAt(world)
  return {
    machine: { namespace: 'team', name: 'm', uid: 'u1', cluster: 'c' },
    annotation: world.annotation,
    account: { kind: 'Owner', userUUID: OWNER, region: 'zrh' },
    sight: server === undefined ? { gone: true } : { server, driveBytes: new Map([['d', DISK]]) },
    at: world.now,
    ...(hasHistory && { history: historyOf(world) }),
  }
}

/** What a reconciler does: observe, patch, observe. `patches`: whether each patch succeeds. */
async function look(
  lives: Lives,
  world: World,
  { hasHistory, patches }: { hasHistory: boolean; patches: () => boolean },
): Promise<boolean> {
  for (let round = 0; round < 10; round += 1) {
    const metered = await lives.observe(observationOf(world, hasHistory))
    if (metered.annotation === undefined) return metered.isSettled
    if (!patches()) return false
    world.annotation = metered.annotation
  }
  throw new Error('it never settles')
}

const newLives = (journal: Journal): Lives => createLives({ journal, clock: () => T0, logger: silentLogger })

/** Independent of the code under test: millisecond sums of what was true in `[start, end)`, as the meters count. */
function truth(facts: readonly Fact[], start: number, end: number): Record<string, bigint> {
  const sums = { vm_cpu_mhz_hours: 0n, vm_memory_mib_hours: 0n, vm_disk_gib_hours: 0n, vm_ip_hours: 0n }
  const cuts = [start, ...facts.map(({ at }) => at).filter((at) => at > start && at < end), end]
  for (let index = 0; index + 1 < cuts.length; index += 1) {
    const [from = 0, to = 0] = [cuts[index], cuts[index + 1]]
    const fact = factAt(facts, from)
    if (fact === undefined || 'gone' in fact) continue
    const ms = BigInt(to - from)
    sums.vm_disk_gib_hours += BigInt(DISK) * ms
    if (!fact.isRunning) continue
    sums.vm_cpu_mhz_hours += BigInt(fact.cpu) * ms
    sums.vm_memory_mib_hours += BigInt(fact.mem) * ms
    sums.vm_ip_hours += ms
  }
  const unit = { vm_cpu_mhz_hours: 1n, vm_memory_mib_hours: 1n << 20n, vm_disk_gib_hours: 1n << 30n, vm_ip_hours: 1n }
  return Object.fromEntries(
    Object.entries(sums).map(([meter, sum]) => [meter, (sum * 1_000_000n) / (unit[meter as keyof typeof unit] * BigInt(HOUR))]),
  )
}

function totals(records: readonly UsageRecord[]): Record<string, bigint> {
  const sums: Record<string, bigint> = { vm_cpu_mhz_hours: 0n, vm_memory_mib_hours: 0n, vm_disk_gib_hours: 0n, vm_ip_hours: 0n }
  for (const { meters } of records)
    for (const [meter, quantity] of Object.entries(meters)) sums[meter] = (sums[meter] ?? 0n) + BigInt(quantity)
  return sums
}

function assertApart(records: readonly UsageRecord[]): void {
  for (const [index, record] of records.entries()) {
    const next = records[index + 1]
    if (next !== undefined) assert.ok(record.endedAt <= next.startedAt, 'two records count one time')
    assert.ok(Math.floor(record.startedAt / HOUR) === Math.floor((record.endedAt - 1) / HOUR), 'a record crosses a full hour')
  }
}

/** A failure says its seed; making it small would take minutes. */
const RUNS = { numRuns: 300, endOnFailure: true } as const

type Step = { readonly afterMs: number; readonly restart: boolean; readonly patchFails: boolean; readonly journalFails: boolean }
type Change = { readonly afterMs: number; readonly kind: 'toggle' | 'resize'; readonly cpu: number }

const steps = fc.array(
  fc.record({
    afterMs: fc.oneof(fc.integer({ min: 1, max: 90_000 }), fc.integer({ min: 1, max: 5 * HOUR })),
    restart: fc.boolean(),
    patchFails: fc.boolean(),
    journalFails: fc.boolean(),
  }),
  { minLength: 1, maxLength: 25 },
)
const changesWith = (kinds: readonly ('toggle' | 'resize')[], leastMs: number): fc.Arbitrary<Change[]> =>
  fc.array(
    fc.record({
      afterMs: fc.integer({ min: leastMs, max: 6 * HOUR }),
      kind: fc.constantFrom(...kinds),
      cpu: fc.integer({ min: 1000, max: 100_000 }),
    }),
    { maxLength: 12 },
  )
/** A stopped machine that is looked at within ten minutes is taken to have been stopped. */
const APART = 700_000

function factsOf(list: readonly Change[], lastAfterMs: number): readonly Fact[] {
  const mem = 3 * 2 ** 30 + 1
  const facts: Fact[] = [{ at: T0, isRunning: true, cpu: 2000, mem }]
  let at = T0
  let [isRunning, cpu] = [true, 2000]
  for (const change of list) {
    at += change.afterMs
    // A size changes while a machine is stopped.
    if (change.kind === 'toggle') isRunning = !isRunning
    else if (isRunning) continue
    else cpu = change.cpu
    facts.push({ at, isRunning, cpu, mem })
  }
  return [...facts, { at: at + lastAfterMs, gone: true }]
}

async function live(facts: readonly Fact[], list: readonly Step[], hasHistory: boolean): Promise<{ journal: Journal; end: number }> {
  const journal = createMemoryJournal()
  const world: World = { facts, now: T0, annotation: undefined }
  let lives = newLives(journal)
  await look(lives, world, { hasHistory, patches: () => true })
  for (const step of list) {
    world.now += step.afterMs
    if (step.restart) lives = newLives(journal)
    journal.fails = step.journalFails
    await look(lives, world, { hasHistory, patches: () => !step.patchFails }).catch(() => {})
    journal.fails = false
  }
  const gone = facts.at(-1)?.at ?? 0
  world.now = Math.max(world.now, gone) + 5
  assert.equal(await look(lives, world, { hasHistory, patches: () => true }), true)
  return { journal, end: gone }
}

/** Remainders are carried: a single record is within one unit of what its own time comes to. */
function assertCertain(records: readonly UsageRecord[], facts: readonly Fact[]): void {
  for (const record of records) {
    if (record.provenance === 'estimated') continue
    const own = truth(facts, record.startedAt, record.endedAt)
    for (const [meter, quantity] of Object.entries(record.meters)) {
      const difference = BigInt(quantity) - (own[meter] ?? 0n)
      assert.ok(difference === 0n || difference === 1n, `${meter} of a record that is said to be certain: ${difference}`)
    }
  }
}

const last = fc.integer({ min: 1, max: 3 * HOUR })

test('observe() counts every millisecond once, whatever fails and restarts, where the cloud says when things changed', async () => {
  await fc.assert(
    fc.asyncProperty(changesWith(['toggle'], 1000), steps, last, async (list, looks, lastMs) => {
      const facts = factsOf(list, lastMs)
      const { journal, end } = await live(facts, looks, true)
      assertApart(journal.records())
      assert.deepEqual(totals(journal.records()), truth(facts, T0, end))
    }),
    RUNS,
  )
})

test('observe() says what is certain and what is not, of machines that change their size', async () => {
  await fc.assert(
    fc.asyncProperty(
      changesWith(['toggle', 'toggle', 'resize'], APART),
      steps,
      last,
      fc.boolean(),
      async (list, looks, lastMs, hasHistory) => {
        const facts = factsOf(list, lastMs)
        const { journal } = await live(facts, looks, hasHistory)
        assertApart(journal.records())
        assertCertain(journal.records(), facts)
      },
    ),
    RUNS,
  )
})

test('observe() never counts more than was used where the cloud does not say when', async () => {
  await fc.assert(
    fc.asyncProperty(changesWith(['toggle'], APART), steps, last, async (list, looks, lastMs) => {
      const facts = factsOf(list, lastMs)
      const { journal, end } = await live(facts, looks, false)
      const [counted, used] = [totals(journal.records()), truth(facts, T0, end + 5)]
      for (const meter of ['vm_cpu_mhz_hours', 'vm_memory_mib_hours', 'vm_ip_hours'])
        assert.ok((counted[meter] ?? 0n) <= (used[meter] ?? 0n), meter)
    }),
    RUNS,
  )
})

test('observe() asks for one patch an hour of a machine that just runs', async () => {
  const journal = createMemoryJournal()
  const lives = newLives(journal)
  const world: World = { facts: [{ at: T0, isRunning: true, cpu: 1000, mem: 2 ** 30 }], now: T0, annotation: undefined }
  let patches = 0
  const count = (): boolean => (patches += 1) > 0
  for (; world.now < T0 + 24 * HOUR; world.now += 60_000) await look(lives, world, { hasHistory: false, patches: count })
  assert.equal(patches, 24)
  assert.equal(journal.payloads.filter(({ kind }) => kind === 'usage').length, 23)
  assert.equal(journal.payloads.filter(({ kind }) => kind === 'machine').length, 1)
})

test('observe() keeps what is owed until the journal takes it, and lets no finalizer go before', async () => {
  const journal = createMemoryJournal()
  const world: World = {
    facts: [
      { at: T0, isRunning: true, cpu: 1000, mem: 2 ** 30 },
      { at: T0 + 1000, gone: true },
    ],
    now: T0,
    annotation: undefined,
  }
  await look(newLives(journal), world, { hasHistory: true, patches: () => true })
  world.now += 2000
  const lives = newLives(journal)
  const { annotation } = await lives.observe(observationOf(world, true))
  world.annotation = annotation
  assert.equal(journal.records().length, 0, 'nothing is written before the annotation is')
  journal.fails = true
  await assert.rejects(lives.observe(observationOf(world, true)), { code: 'MACHINE_LIFE_NOT_RECORDED' })
  journal.fails = false
  assert.deepEqual(await newLives(journal).observe(observationOf(world, true)), { isSettled: true })
  assert.deepEqual(
    journal.records().map(({ startedAt, endedAt, authId, resourceId, model }) => ({ startedAt, endedAt, authId, resourceId, model })),
    [{ startedAt: T0, endedAt: T0 + 1000, authId: `cloudsigma:${OWNER}`, resourceId: SERVER, model: 'vm' }],
  )
})

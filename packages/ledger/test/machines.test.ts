import assert from 'node:assert/strict'
import { hash, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Database } from '@ascribe/postgres'
import { createIdSource, idOfHash } from '@ascribe/units'
import type { ActRecord, MintDay, SideRecord, UsageRecord } from '@ascribe/usage'
import {
  applyPriceBook,
  closeMonth,
  createOrganization,
  ingestBatch,
  mapAuthId,
  mapOwner,
  postActs,
  readAccessLog,
  readStatement,
  readWaitingActs,
  verifyRating,
} from '../src/index.ts'
import type { AccessLogEntry, IngestSummary } from '../src/index.ts'
import { readMachine, readMachineActs, readMachineIntervals, readMachineLines, readMachines } from '../src/views.ts'
import { expireCredits, grantCredit, listCredits } from '../src/money.ts'
import { openTrail, verified } from './audit-support.ts'
import { HOUR, TEN, deliver, openLedger, priceBook, rateAll, usageRecord } from './support.ts'

const USER = '44444444-4444-4444-8444-444444444444'
const AUTH = `cloudsigma:${USER}`
const SERVER = '0c7b1a52-13b5-4a0f-9a43-6f3a4f1a2b3c'
const PERIOD = { start: Date.UTC(2026, 2, 1), end: Date.UTC(2026, 3, 1) }

const BOOK = `version: 1
per: million
base_models:
  small: { prompt: "1", cached: "0.1", completion: "2" }
  vm:
    meters: { vm_cpu_mhz_hours: "0.00001", vm_memory_mib_hours: "0.000002", vm_disk_gib_hours: "0.0002", vm_ip_hours: "0.004" }
  platform-vm:
    meters: { vm_cpu_mhz_hours: "0.00002", vm_memory_mib_hours: "0.000004", vm_disk_gib_hours: "0.0004", vm_ip_hours: "0.008" }
`

const ids = new Map<number, () => string>()
const idAt = (at: number): string => ids.getOrInsertComputed(at, () => createIdSource(() => at))()

function act(fields: Partial<ActRecord> = {}): ActRecord {
  const startedAt = fields.startedAt ?? TEN
  return {
    kind: 'act',
    eventId: idAt(startedAt),
    startedAt,
    endedAt: startedAt + 400,
    verb: 'create_server',
    authId: AUTH,
    account: { kind: 'Owner', userId: USER, region: 'zrh', binding: 'team' },
    actor: { controller: 'ascribe-controller/a', object: 'CloudSigmaMachine team/m-0', objectUid: 'u', requestedBy: 'ada@example.test' },
    outcome: 'done',
    made: { type: 'server', uuid: SERVER },
    cloudRequestId: 'cs-1',
    mints: ['ab12'],
    ...fields,
  }
}

/** An hour of a machine with 2000 MHz, as a controller states it. */
function vmHour(start: number, fields: Partial<UsageRecord> = {}): UsageRecord {
  const eventId = idOfHash(start, hash('sha256', `${SERVER} ${start} ${fields.authId ?? ''}`, 'buffer'))
  return usageRecord({
    eventId,
    startedAt: start,
    endedAt: start + HOUR,
    authId: AUTH,
    resourceId: SERVER,
    resourceType: 'vm',
    model: 'vm',
    api: 'machine',
    identifiedBy: 'binding',
    headers: { state: 'running', region: 'zrh' },
    meters: { vm_cpu_mhz_hours: 2000 * 1_000_000, vm_disk_gib_hours: 10 * 1_000_000 },
    promptTokens: null,
    cachedTokens: null,
    completionTokens: null,
    ...fields,
  })
}

let offset = 0
function tell(db: Database, sides: readonly SideRecord[], writer = 'controller-1'): Promise<IngestSummary> {
  offset += 1
  return ingestBatch(db, {
    writer,
    position: { segment: 1, offset },
    records: sides.map((side) => ({ eventId: side.eventId, payload: JSON.stringify(side) })),
  })
}

const stated = (record: UsageRecord): SideRecord => ({ kind: 'usage', eventId: idAt(record.startedAt), record })

async function logOf(db: Database, organizationId: string): Promise<readonly AccessLogEntry[]> {
  const page = await readAccessLog(db, { organizationId })
  assert.notEqual(page, 'bad_cursor')
  return page === 'bad_cursor' ? [] : page.entries.filter(({ kind }) => kind === 'act' || kind === 'mint')
}

test('postActs() writes each act once into the log of the owner, however often it is delivered', async () => {
  await using db = await openLedger()
  const acme = await createOrganization(db, { name: 'Acme' })
  await mapOwner(db, { userId: USER, organizationId: acme.id })
  await using trail = openTrail(db)
  const [made, started] = [act(), act({ startedAt: TEN + 500, verb: 'start', outcome: 'refused', fault: 'payment', status: 402 })]
  assert.deepEqual(await tell(db, [made, started]), { inserted: 2, duplicates: 0, conflicting: 0, quarantined: 0 })
  assert.equal((await tell(db, [made, started], 'controller-2')).duplicates, 2)
  assert.deepEqual(await Promise.all([postActs(db, trail), postActs(db, trail)]).then((counts) => counts[0] + counts[1]), 2)
  assert.equal(await postActs(db, trail), 0)
  const [second, first] = await logOf(db, acme.id)
  assert.deepEqual(
    [first?.detail?.['verb'], first?.detail?.['made_server'], first?.detail?.['tokens']],
    ['create_server', SERVER, ['ab12']],
  )
  assert.deepEqual(
    [first?.actor.id, first?.requestId, first?.personal],
    ['ascribe-controller/a', 'cs-1', { requested_by: 'ada@example.test' }],
  )
  assert.deepEqual(
    [second?.detail?.['verb'], second?.detail?.['outcome'], second?.detail?.['fault'], second?.detail?.['cloud_status']],
    ['start', 'refused', 'payment', 402],
  )
  assert.deepEqual((await verified(db)).problems, [])
  const { rows } = await db.query<{ body: unknown }>('select body from cloud_act')
  assert.doesNotMatch(JSON.stringify(rows), /ada@/, 'who asked is a person, and can be erased from the log alone')
})

test('postActs() holds aside what is nobody’s, and it appears when the owner is somebody’s', async () => {
  await using db = await openLedger()
  const [acme, other] = [await createOrganization(db, { name: 'Acme' }), await createOrganization(db, { name: 'Other' })]
  await using trail = openTrail(db)
  await tell(db, [act(), stated(vmHour(TEN))])
  assert.equal(await postActs(db, trail), 0)
  assert.deepEqual(await readWaitingActs(db), [{ authId: AUTH, acts: 1, since: TEN }])
  await applyPriceBook(db, priceBook({ text: BOOK }))
  await rateAll(db)
  const memoOf = async (id: string): Promise<string | undefined> =>
    (await readStatement(db, { organizationId: id, month: '2026-03', scope: 'customer' }))?.memo?.total
  assert.equal(await memoOf(acme.id), undefined)
  await mapOwner(db, { userId: USER, organizationId: acme.id })
  await rateAll(db)
  assert.equal(await postActs(db, trail), 1)
  assert.equal((await logOf(db, acme.id)).length, 1)
  assert.equal((await logOf(db, other.id)).length, 0)
  assert.equal(await memoOf(acme.id), '0.022')
})

test('postActs() counts the tokens of a day once, whoever tells of it', async () => {
  await using db = await openLedger()
  const acme = await createOrganization(db, { name: 'Acme' })
  await mapOwner(db, { userId: USER, organizationId: acme.id })
  await using trail = openTrail(db)
  const day = (): MintDay => ({
    kind: 'mint_day',
    eventId: randomUUID(),
    name: 'ab'.repeat(16),
    startedAt: Date.UTC(2026, 2, 1),
    endedAt: Date.UTC(2026, 2, 2),
    authId: AUTH,
    userId: USER,
    controller: 'ascribe-controller/a',
    minted: 7,
    refused: 1,
    discarded: 0,
    regions: ['zrh'],
  })
  await tell(db, [day()])
  await tell(db, [day()], 'controller-2')
  await postActs(db, trail)
  const [line, ...others] = await logOf(db, acme.id)
  assert.equal(others.length, 0)
  assert.deepEqual([line?.kind, line?.detail?.['minted'], line?.detail?.['day']], ['mint', 7, '2026-03-01'])
})

test('ingestBatch() takes a stated record once, and sets aside what a controller cannot have written', async () => {
  await using db = await openLedger()
  await tell(db, [stated(vmHour(TEN))])
  const again = await tell(db, [stated(vmHour(TEN)), stated(vmHour(TEN + HOUR))], 'controller-2')
  assert.deepEqual([again.inserted, again.duplicates], [1, 1])
  const odd = { ...act(), account: 'none' } as unknown as ActRecord
  const nul = act({ actor: { controller: 'a\0b', object: 'o', objectUid: 'u' } })
  assert.equal((await tell(db, [odd, nul, stated(vmHour(TEN + 2 * HOUR))])).quarantined, 2)
  assert.equal((await db.query('select from usage_record')).rowCount, 3)
})

test('settled_by: provider moves no sum: totals, closing and verification are as without it', async () => {
  await using db = await openLedger()
  const acme = await createOrganization(db, { name: 'Acme' })
  await mapOwner(db, { userId: USER, organizationId: acme.id })
  await mapAuthId(db, { authId: 'auth-1', organizationId: acme.id })
  await mapAuthId(db, { authId: `cloudsigma:${USER}/team`, organizationId: acme.id })
  await applyPriceBook(db, priceBook({ text: BOOK }))
  await deliver(db, [usageRecord({ meters: { input_tokens: 1_000_000 } })])
  await rateAll(db)
  const statement = async (): Promise<NonNullable<Awaited<ReturnType<typeof readStatement>>>> => {
    const found = await readStatement(db, { organizationId: acme.id, month: '2026-03', scope: 'operator' })
    assert.ok(found !== undefined)
    return found
  }
  const before = await statement()
  await tell(db, [stated(vmHour(TEN)), stated(vmHour(TEN + HOUR))])
  await rateAll(db)
  const own = await statement()
  assert.deepEqual({ ...own, memo: undefined }, { ...before, memo: undefined })
  // 2 h × (2000 MHz × 0.00001 + 10 GiB × 0.0002), in hours as people read them.
  assert.deepEqual(own.memo, {
    total: '0.044',
    lines: [
      { model: 'vm', auth_id: AUTH, meter: 'vm_cpu_mhz_hours', quantity: '4000', rate: '0.00001', amount: '0.04' },
      { model: 'vm', auth_id: AUTH, meter: 'vm_disk_gib_hours', quantity: '20', rate: '0.0002', amount: '0.004' },
    ],
  })
  // In the platform's account it is owed.
  await tell(db, [stated(vmHour(TEN, { authId: `cloudsigma:${USER}/team`, model: 'platform-vm', resourceId: 'server-2' }))])
  await rateAll(db)
  const charged = await statement()
  assert.deepEqual([charged.total, charged.memo?.total], ['1.044', '0.044'])
  assert.equal((await closeMonth(db, { month: '2026-03', closedBy: 'test' })).kind, 'closed')
  assert.deepEqual((await statement()).memo, own.memo)
  // What comes late is in the memo, and adjusts nothing.
  await tell(db, [stated(vmHour(TEN + 3 * HOUR))])
  await rateAll(db)
  const late = await statement()
  assert.deepEqual([late.total, late.memo?.total], ['1.044', '0.066'])
  assert.equal((await db.query('select from adjustment')).rowCount, 0)
  assert.deepEqual((await verifyRating(db)).differences, [])
})

test('readMachines() shows an organization its machines and nobody else’s, with what is owed and what is not', async () => {
  await using db = await openLedger()
  const [acme, other] = [await createOrganization(db, { name: 'Acme' }), await createOrganization(db, { name: 'Other' })]
  await mapOwner(db, { userId: USER, organizationId: acme.id })
  await applyPriceBook(db, priceBook({ text: BOOK }))
  const note = (at: number, state: 'running' | 'stopped' | 'deleted'): SideRecord => ({
    kind: 'machine',
    eventId: idAt(at),
    startedAt: at,
    serverId: SERVER,
    name: 'm-0',
    namespace: 'team',
    region: 'zrh',
    account: 'Owner',
    authId: AUTH,
    userId: USER,
    state,
    cpuMhz: 2000,
    memoryMib: 2048,
    diskBytes: String(10 * 2 ** 30),
    addresses: 1,
    since: TEN,
  })
  // The newest word stands, in whatever order they come.
  await tell(db, [
    act(),
    note(TEN + 2 * HOUR, 'stopped'),
    stated(vmHour(TEN)),
    stated(vmHour(TEN + HOUR, { headers: { state: 'stopped' } })),
  ])
  await tell(db, [note(TEN, 'running')], 'controller-2')
  await rateAll(db)
  const page = await readMachines(db, { organizationId: acme.id, period: PERIOD, limit: 10 })
  const [machine, ...more] = page.machines
  assert.equal(more.length, 0)
  assert.deepEqual(
    [machine?.state, machine?.stateAt, machine?.runningMs, machine?.amount, machine?.memo, machine?.createdBy?.at, page.amount, page.memo],
    ['stopped', TEN + 2 * HOUR, BigInt(HOUR), 0n, 44_000_000n, TEN, 0n, 44_000_000n],
  )
  assert.equal((await readMachineIntervals(db, { organizationId: acme.id, machineId: SERVER, period: PERIOD, limit: 10 })).length, 2)
  assert.equal((await readMachineActs(db, { organizationId: acme.id, machineId: SERVER, period: PERIOD, limit: 10 })).length, 1)
  assert.deepEqual((await readMachines(db, { organizationId: other.id, period: PERIOD, limit: 10 })).machines, [])
  assert.equal(await readMachine(db, { organizationId: other.id, machineId: SERVER, period: PERIOD }), undefined)
  // It goes over to somebody else: what it is now is his to see; what it used before was not his.
  await mapOwner(db, { userId: USER, organizationId: other.id })
  await rateAll(db)
  assert.equal(await readMachine(db, { organizationId: acme.id, machineId: SERVER, period: PERIOD }), undefined)
  const theirs = await readMachine(db, { organizationId: other.id, machineId: SERVER, period: PERIOD })
  assert.deepEqual([theirs?.memo, theirs?.meters, theirs?.createdBy], [0n, {}, undefined])
  assert.equal(theirs?.runningMs, 0n, 'how long it ran was its owner’s of then')
  assert.deepEqual(await readMachineActs(db, { organizationId: other.id, machineId: SERVER, period: PERIOD, limit: 10 }), [])
})

test('ADR 0088: hours under a book that sold vm before machines keep their price, and millionths never get it', async () => {
  await using db = await openLedger()
  const acme = await createOrganization(db, { name: 'Acme' })
  await mapOwner(db, { userId: USER, organizationId: acme.id })
  await mapAuthId(db, { authId: 'auth-1', organizationId: acme.id })
  const tokens = 'prompt: "0", cached: "0", completion: "0"'
  const before = `version: 1\nbase_models:\n  vm: { ${tokens}, meters: { vm_cpu_mhz_hours: "0.00001", vm_disk_gib_hours: "0.0002" } }\n`
  await applyPriceBook(db, priceBook({ text: before }))
  const theirs = (start: number): UsageRecord =>
    usageRecord({ startedAt: start, model: 'vm', api: 'event', identifiedBy: 'event', meters: { vm_cpu_mhz_hours: 2000 } })
  await deliver(db, [theirs(TEN)])
  await tell(db, [stated(vmHour(TEN))])
  await rateAll(db)
  const statement = async (): Promise<unknown> => {
    const found = await readStatement(db, { organizationId: acme.id, month: '2026-03', scope: 'operator' })
    return [found?.total, found?.memo?.total, found?.held.unpriced]
  }
  assert.deepEqual(await statement(), ['0.02', undefined, 1])
  // The new prices are of machines from eleven on: whole hours that others report are held, and seen.
  await applyPriceBook(db, priceBook({ text: BOOK, effectiveFrom: TEN + HOUR }))
  await deliver(db, [theirs(TEN + HOUR)])
  await tell(db, [stated(vmHour(TEN + HOUR))])
  await rateAll(db)
  assert.deepEqual(await statement(), ['0.02', '0.022', 2])
  assert.deepEqual((await verifyRating(db)).differences, [])
})

test('postActs() gives each act to whose the owner was at its instant, once, in whatever order it comes, and every chain verifies', async () => {
  await using db = await openLedger()
  const [first, second] = [await createOrganization(db, { name: 'First' }), await createOrganization(db, { name: 'Second' })]
  const handover = TEN + 20_000
  await using trail = openTrail(db)
  const acts = Array.from({ length: 40 }, (_, index) => act({ startedAt: TEN + index * 1000, endedAt: TEN + index * 1000 + 5 }))
  const order = fc.sample(fc.shuffledSubarray([...acts, ...acts], { minLength: 80 }), 1)[0] ?? []
  for (const [index, each] of order.entries()) {
    await tell(db, [each], `controller-${index % 3}`)
    // Nobody's, then the first one's, then handed over while acts of both times still come.
    if (index === 20) await mapOwner(db, { userId: USER, organizationId: first.id })
    if (index === 30) await mapOwner(db, { userId: USER, organizationId: second.id, from: handover })
    if (index % 7 === 0 && index !== 28) await Promise.all([postActs(db, trail), postActs(db, trail)])
  }
  await postActs(db, trail)
  const eventsOf = async (id: string): Promise<readonly string[]> =>
    (await logOf(db, id)).map(({ detail }) => JSON.stringify(detail?.['event']))
  const inFirst = await eventsOf(first.id)
  const inSecond = await eventsOf(second.id)
  assert.deepEqual(
    new Set([...inFirst, ...inSecond]),
    new Set(acts.map(({ eventId }) => JSON.stringify(eventId))),
    'each act is in one log, once',
  )
  const late = new Set(acts.filter(({ startedAt }) => startedAt >= handover).map(({ eventId }) => JSON.stringify(eventId)))
  assert.ok(
    inSecond.every((event) => late.has(event)),
    'nobody reads what was done before it was his',
  )
  assert.deepEqual((await verified(db)).problems, [])
})

test('nothing of another organization’s machine is readable: not by id, cursor, region, or a log', async () => {
  await using db = await openLedger()
  const [acme, other] = [await createOrganization(db, { name: 'Acme' }), await createOrganization(db, { name: 'Other' })]
  await mapOwner(db, { userId: USER, organizationId: acme.id })
  await applyPriceBook(db, priceBook({ text: BOOK }))
  await using trail = openTrail(db)
  await tell(db, [act(), stated(vmHour(TEN)), stated(vmHour(TEN + HOUR, { headers: { state: 'running' } }))])
  await rateAll(db)
  await postActs(db, trail)
  const of = { organizationId: other.id, machineId: SERVER, period: PERIOD, limit: 100 }
  assert.deepEqual(await readMachineIntervals(db, of), [])
  assert.deepEqual(await readMachineActs(db, of), [])
  assert.deepEqual(await readMachineLines(db, of), [])
  assert.deepEqual(await logOf(db, other.id), [])
  for (const organizationId of [other.id, 'no uuid', acme.id.toUpperCase() + '\0'])
    assert.deepEqual(await readMachines(db, { organizationId, period: PERIOD, limit: 10, after: ['0'] }), {
      machines: [],
      amount: 0n,
      memo: 0n,
      next: undefined,
    })
  const lines = await readMachineLines(db, { ...of, organizationId: acme.id })
  assert.deepEqual(
    lines.map(({ isMemo, amount }) => [isMemo, amount]),
    [
      [true, 40_000_000n],
      [true, 4_000_000n],
    ],
  )
})

test('credits of an organization of which the provider bills all end when they end: no invoice will come for its memo', async () => {
  await using db = await openLedger({ fresh: true })
  const acme = await createOrganization(db, { name: 'Acme' })
  await mapOwner(db, { userId: USER, organizationId: acme.id })
  await applyPriceBook(db, priceBook({ text: BOOK }))
  const expiresAt = PERIOD.end - HOUR
  await grantCredit(db, {
    organizationId: acme.id,
    amount: 10n ** 10n,
    kind: 'prepaid',
    effectiveFrom: PERIOD.start,
    expiresAt,
    by: 'test',
  })
  await tell(db, [stated(vmHour(TEN))])
  await rateAll(db)
  assert.equal((await closeMonth(db, { month: '2026-03', closedBy: 'test' })).kind, 'closed')
  assert.equal(await expireCredits(db, { at: PERIOD.end, by: 'test' }), 1)
  assert.equal((await listCredits(db, { organizationId: acme.id, at: PERIOD.end })).length, 1)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { plan } from './plan.ts'
import { ourServers } from './plan-ours.ts'
import type { DiskState, Hold, Known, MachineFacts, Observed, SeenDrive, SeenServer, Step } from './types.ts'

const US = '00000000-0000-4404-8403-000000000001'
const THEM = '00000000-0000-4404-8403-000000000002'
const UUIDS = [
  'd0000000-0000-4404-8403-000000000000',
  'd1000000-0000-4404-8403-000000000001',
  'e0000000-0000-4404-8403-000000000002',
] as const
const [S1, S2] = ['50000000-0000-4404-8403-000000000000', '51000000-0000-4404-8403-000000000001']

const uuid = fc.constantFrom(...UUIDS)
const owner = fc.constantFrom(US, US, THEM, undefined)
const hold: fc.Arbitrary<Hold | undefined> = fc.constantFrom(undefined, undefined, { reason: 'R', message: 'm' })

const server = (id: fc.Arbitrary<string>): fc.Arbitrary<SeenServer> =>
  fc.record({
    uuid: id,
    status: fc.constantFrom('stopped', 'starting', 'running', 'stopping', 'deleting', 'paused', 'unavailable', 'what'),
    owner,
    drives: fc.uniqueArray(uuid),
    isMarked: fc.boolean(),
    isProven: fc.boolean(),
    hasBootstrapData: fc.boolean(),
    isIdle: fc.boolean(),
  })

const drive = (id: fc.Arbitrary<string>): fc.Arbitrary<SeenDrive> =>
  fc.record({
    uuid: id,
    status: fc.constantFrom('creating', 'cloning_dst', 'unmounted', 'mounted', 'unavailable', 'what'),
    owner,
    mountedOn: fc.subarray([S1, S2]),
    disk: fc.constantFrom(undefined, 0, 1, 2),
    isStamped: fc.boolean(),
  })

function known<Thing>(thing: fc.Arbitrary<Thing>): fc.Arbitrary<Known<Thing>> {
  return fc.oneof(
    fc.constant({ is: 'unread' as const }),
    fc.constant({ is: 'gone' as const }),
    fc.constant({ is: 'barred' as const, message: 'may not look' }),
    thing.map((each) => ({ is: 'seen' as const, thing: each })),
  )
}

/** A drive that is as it should be before its server is made, or that is gone: without these the ends of both ways are hardly ever reached. */
const usualDisk: fc.Arbitrary<DiskState> = uuid.chain((recorded) =>
  fc.constantFrom<DiskState[]>(
    { recorded, drive: { is: 'gone' as const } },
    {
      recorded,
      drive: { is: 'seen' as const, thing: { uuid: recorded, status: 'unmounted', owner: US, mountedOn: [], disk: 0, isStamped: false } },
    },
    {
      recorded,
      drive: { is: 'seen' as const, thing: { uuid: recorded, status: 'unmounted', owner: US, mountedOn: [], disk: 0, isStamped: true } },
    },
  ),
)

const anyDisk: fc.Arbitrary<DiskState> = fc
  .option(uuid, { nil: undefined })
  .chain((recorded): fc.Arbitrary<DiskState> =>
    recorded === undefined
      ? fc.constant({ recorded, drive: { is: 'unread' as const } })
      : fc.record({ recorded: fc.constant(recorded), drive: known(drive(fc.constant(recorded))) }),
  )

const disk: fc.Arbitrary<DiskState> = fc.oneof({ weight: 2, arbitrary: usualDisk }, { weight: 1, arbitrary: anyDisk })

const machine: fc.Arbitrary<MachineFacts> = fc.record({
  isDeleting: fc.boolean(),
  hasFinalizer: fc.boolean(),
  token: fc.constantFrom(undefined, 'token', 'token'),
  pin: fc.constantFrom(
    undefined,
    'unreadable' as const,
    { kind: 'Owner' as const, userUUID: US, region: 'zrh' },
    { kind: 'Owner' as const, userUUID: US, region: 'zrh' },
    { kind: 'PlatformAccount' as const, userUUID: US, region: 'zrh' },
  ),
  server: fc.constantFrom(undefined, S1),
  claimed: fc.constantFrom(undefined, undefined, undefined, undefined, undefined, undefined, undefined, S2),
  isServerRecorded: fc.boolean(),
  made: fc.constantFrom(undefined, undefined, undefined, { do: 'record' as const, server: S1 }),
  quarantined: fc.constantFrom(undefined, undefined, undefined, S2),
  isAbandoned: fc.constantFrom(false, false, true),
  isProvisioned: fc.boolean(),
  hasJoined: fc.boolean(),
})

const observed: fc.Arbitrary<Observed> = fc.record({
  machine,
  pause: fc.constantFrom(undefined, undefined, undefined, { reason: 'Paused', message: 'm' }),
  gate: hold,
  invalid: fc.constantFrom(undefined, undefined, undefined, { reason: 'InvalidSpec', message: 'm' }),
  selection: fc.constantFrom(undefined, { is: 'pin' as const }, { is: 'hold' as const, hold: { reason: 'R', message: 'm' } }),
  refusal: fc.constantFrom(undefined, undefined, { reason: 'OwnerNotAuthorized', message: 'm' }),
  quota: hold,
  server: known(server(fc.constant(S1))),
  disks: fc.array(disk, { minLength: 1, maxLength: 3 }),
  addresses: hold,
  doubt: fc.oneof(
    fc.constantFrom({ is: 'none' as const }, { is: 'none' as const }, { is: 'unsearched' as const }),
    fc.record({ is: fc.constant('empty' as const), retryAfterMs: fc.integer({ min: -10, max: 30_000 }) }),
  ),
  search: fc.option(
    fc.record({ servers: fc.array(server(fc.constantFrom(S1, S2)), { maxLength: 3 }), drives: fc.array(drive(uuid), { maxLength: 3 }) }),
    { nil: undefined },
  ),
  isSweepDue: fc.boolean(),
  pollMs: fc.constant(1_000),
})

const RUNS = { numRuns: 20_000 }
/** Every step that sends something that changes the cloud. */
const MUTATES: ReadonlySet<Step['do']> = new Set([
  'clone',
  'stamp',
  'create-server',
  'start',
  'strip-bootstrap',
  'stop',
  'delete-server',
  'delete-drive',
])

function holds(property: (o: Observed, step: Step) => void): void {
  fc.assert(
    fc.property(observed, (o) => property(o, plan(o))),
    RUNS,
  )
}

const hasPin = (o: Observed): boolean => typeof o.machine.pin === 'object'

test('plan() comes to every step there is, by what the properties below try', () => {
  const steps = new Set(fc.sample(observed, { seed: 8, numRuns: 30_000 }).map((o) => plan(o).do))
  const all: Record<Step['do'], true> = {
    hold: true,
    rest: true,
    ignore: true,
    pin: true,
    'read-server': true,
    'read-drive': true,
    search: true,
    record: true,
    clone: true,
    stamp: true,
    'create-server': true,
    start: true,
    'strip-bootstrap': true,
    stop: true,
    'delete-server': true,
    'delete-drive': true,
    release: true,
    abandon: true,
  }
  assert.deepEqual([...steps].toSorted(), Object.keys(all).toSorted())
})

test('plan() gives the same step for the same observation', () => {
  holds((o, step) => assert.deepEqual(plan(structuredClone(o)), step))
})

test('plan() makes nothing while something may have been made already, and never a second server (R-11, R-12, R-20)', () => {
  holds((o, step) => {
    if (step.do !== 'clone' && step.do !== 'create-server') return
    assert.equal(o.doubt.is, 'none')
    assert.ok(o.machine.token !== undefined && hasPin(o), 'the token was written ahead')
    assert.equal(o.machine.server, undefined)
    assert.equal(o.machine.claimed, undefined, 'R-15: nothing is made beside what somebody names')
    assert.equal(o.machine.made, undefined)
    assert.ok(!o.machine.isDeleting)
    assert.ok(o.gate === undefined && o.invalid === undefined, 'C-34')
    if (step.do === 'clone') assert.equal(o.disks[step.disk]?.recorded, undefined)
    else
      for (const { recorded, drive: each } of o.disks) {
        assert.ok(recorded !== undefined && each.is === 'seen' && each.thing.owner === US && each.thing.status === 'unmounted', 'R-17')
      }
  })
})

test('plan() changes nothing that is not certainly ours (R-4, R-5, R-15, H-9)', () => {
  holds((o, step) => {
    if (!MUTATES.has(step.do)) return
    assert.ok(hasPin(o) && o.machine.quarantined === undefined)
    if ('server' in step && step.server !== undefined) {
      const isRecorded = o.machine.server === step.server && o.server.is === 'seen' && o.server.thing.owner === US
      const isProven =
        o.search !== undefined &&
        ourServers(o, o.search).some((each) => each.uuid === step.server && each.owner === US && each.isProven && each.isMarked)
      assert.ok(isRecorded || isProven, JSON.stringify(step))
    }
    if (step.do === 'delete-drive') {
      const isRecorded = o.disks.some(
        ({ recorded, drive: each }) => recorded === step.drive && each.is === 'seen' && each.thing.owner === US,
      )
      const isNamed = o.search?.drives.some(
        (each) => each.uuid === step.drive && each.owner === US && each.disk !== undefined && each.mountedOn.length === 0,
      )
      assert.ok(step.isSecond ? isNamed === true : isRecorded)
      if (step.isSecond) assert.ok(!o.disks.some(({ recorded }) => recorded === step.drive), 'what is on the object is no second one')
    }
    if (step.do === 'delete-server' && step.isSecond) assert.notEqual(step.server, o.machine.server)
  })
})

test('ourServers() has no server of another owner, whatever token, proof and drives it shows (T3, R-15, H-9)', () => {
  const drives = [{ uuid: UUIDS[0], status: 'mounted', owner: US, mountedOn: [S1], disk: 0, isStamped: false }]
  const copy: SeenServer = {
    uuid: S1,
    status: 'stopped',
    owner: US,
    drives: [UUIDS[0]],
    isMarked: true,
    isProven: true,
    hasBootstrapData: true,
    isIdle: true,
  }
  const [some] = fc.sample(observed, { seed: 1, numRuns: 1 })
  assert.ok(some)
  const o = { ...some, machine: { ...some.machine, pin: { kind: 'Owner' as const, userUUID: US, region: 'zrh' } } }
  assert.deepEqual(ourServers(o, { servers: [copy], drives }), [copy])
  for (const other of [THEM, undefined]) assert.deepEqual(ourServers(o, { servers: [{ ...copy, owner: other }], drives }), [])
})

test('plan() does nothing in the cloud while the account may not be used (5.4, 5.7)', () => {
  holds((o, step) => {
    if (o.refusal !== undefined && o.machine.token !== undefined)
      assert.ok(!MUTATES.has(step.do) && !step.do.startsWith('read') && step.do !== 'search', step.do)
  })
})

test('plan() pins once: never an account where there is one, nor for what another provider made (R-26, H-5)', () => {
  holds((o, step) => {
    if (step.do !== 'pin') return
    assert.equal(o.machine.token, undefined)
    assert.ok(!o.machine.hasFinalizer && o.machine.server === undefined && !o.machine.isDeleting)
    assert.deepEqual(o.selection, { is: 'pin' })
  })
})

test('plan() drops the finalizer only when the API said that all is gone, or two people did (R-5, R-22, R-24, R-25, H-12)', () => {
  holds((o, step) => {
    if (step.do === 'abandon') return assert.ok(o.machine.isDeleting && o.machine.isAbandoned && o.machine.hasFinalizer)
    if (step.do !== 'release') return undefined
    assert.ok(o.machine.isDeleting && o.machine.hasFinalizer && hasPin(o) && o.machine.quarantined === undefined)
    assert.equal(o.doubt.is, 'none')
    if (o.machine.server === undefined && o.disks.every(({ recorded }) => recorded === undefined)) return undefined
    assert.ok(o.machine.server === undefined || o.server.is === 'gone')
    for (const { recorded, drive: each } of o.disks) assert.ok(recorded === undefined || each.is === 'gone')
    assert.ok(o.search !== undefined, 'a last list')
    assert.deepEqual(
      ourServers(o, o.search).filter((each) => each.uuid !== o.machine.server),
      [],
    )
    assert.deepEqual(
      o.search.drives.filter(
        (each) =>
          each.disk !== undefined &&
          each.owner === US &&
          !o.disks.some(({ recorded }) => recorded === each.uuid) &&
          each.status === 'unmounted' &&
          each.mountedOn.length === 0,
      ),
      [],
    )
    return undefined
  })
})

test('plan() does nothing at all while paused, deletes included (C-7, R-40)', () => {
  holds((o, step) => {
    if (o.pause !== undefined) assert.deepEqual(step, { do: 'hold', ...o.pause })
  })
})

test('plan() never takes a 403 for gone: it holds and says so, live and in a deletion (R-4, R-5, H-12)', () => {
  holds((o, step) => {
    if (o.server.is !== 'barred' || o.machine.server === undefined || o.pause !== undefined || o.refusal !== undefined) return
    if (o.machine.token === undefined || !hasPin(o) || o.machine.quarantined !== undefined || o.machine.made !== undefined) return
    if (o.machine.isDeleting && (o.machine.isAbandoned || !o.machine.hasFinalizer)) return
    assert.equal(step.do, 'hold')
    assert.match(JSON.stringify(step), /ServerNotAccessible/)
  })
})

test('plan() puts what was made on the object before anything else (R-11)', () => {
  holds((o, step) => {
    const { machine: facts } = o
    if (facts.made === undefined || facts.token === undefined || !hasPin(o) || facts.quarantined !== undefined || o.pause !== undefined)
      return
    if (facts.isDeleting && (facts.isAbandoned || !facts.hasFinalizer)) return
    assert.deepEqual(step, facts.made)
  })
})

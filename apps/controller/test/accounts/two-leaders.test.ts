import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Meta } from '@ascribe/cloudsigma'
import type { Server } from '@ascribe/cloudsigma'
import type { Text } from '@ascribe/journal'
import { silentLogger } from '@ascribe/kit'
import type { MachineNote, StatedUsage, UsageRecord } from '@ascribe/usage'
import fc from 'fast-check'
import { createLives } from '../../src/accounts/lives.ts'
import type { Lives, Sight } from '../../src/accounts/types.ts'

const HOUR = 3_600_000
const T0 = Date.UTC(2026, 10, 1)
const SERVER = '0c7b1a52-13b5-4a0f-9a43-6f3a4f1a2b3c'
const CPU = 2000

/** What is in the ledger in the end: each record once by its id, and the same whoever stated it. */
type Ledger = Map<string, UsageRecord>

/** A leader with a journal of its own, which may be lost with the node before anything of it was shipped. */
function leaderOf(ledger: Ledger): Lives {
  const journal = {
    admit: (eventId: string) => ({
      eventId,
      written: Promise.resolve(),
      isPlaced: true,
      settlementBound: 1e6,
      async settle(text: Text): Promise<void> {
        const payload = JSON.parse(String(text)) as StatedUsage | MachineNote
        if (payload.kind !== 'usage') return
        const before = ledger.get(payload.record.eventId)
        if (before !== undefined) assert.deepEqual(payload.record, before, 'one stretch was stated in two ways')
        ledger.set(payload.record.eventId, payload.record)
      },
    }),
    sync: () => Promise.resolve(),
  }
  return createLives({ journal, clock: () => T0, logger: silentLogger })
}

/** Toggled at these instants, running from the beginning. */
const runsAt = (toggles: readonly number[], at: number): boolean => toggles.filter((each) => each <= at).length % 2 === 0
const startedAt = (toggles: readonly number[], at: number): number =>
  [T0, ...toggles].findLast((each, index) => index % 2 === 0 && each <= at) ?? T0

function sightAt(toggles: readonly number[], at: number): Sight {
  const isRunning = runsAt(toggles, at)
  const server: Server = {
    uuid: SERVER,
    name: 'm',
    status: isRunning ? 'running' : 'stopped',
    ...(isRunning && { activeSince: new Date(startedAt(toggles, at)).toISOString() }),
    cpuMhz: CPU,
    memBytes: 0,
    drives: [],
    nics: [],
    tags: [],
    permissions: [],
    meta: new Meta(),
  }
  return { server, driveBytes: new Map() }
}

const step = fc.record({
  afterMs: fc.oneof(fc.integer({ min: 1, max: 120_000 }), fc.integer({ min: 1, max: 3 * HOUR })),
  /** Just after the next change, where an answer that was asked for before says the opposite. */
  isChange: fc.boolean(),
  leader: fc.constantFrom(0, 1),
  /** The sight is of an answer that was asked for before; the object is one that has been changed since. */
  sightAgoMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 60_000 })),
  isStale: fc.boolean(),
  restarts: fc.boolean(),
  /** The Cluster is gone, or not read yet. */
  hasCluster: fc.boolean(),
})

test('two leaders with journals of their own count each millisecond once, whatever each of them saw last', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 5 * HOUR }), { maxLength: 8 }),
      async (steps, gaps) => {
        let toggledAt = T0
        const toggles = gaps.map((gap) => (toggledAt += gap + 700_000))
        const ledger: Ledger = new Map()
        const leaders = [leaderOf(ledger), leaderOf(ledger)]
        let now = T0
        let object: { readonly version: number; readonly annotation: string | undefined } = { version: 0, annotation: undefined }
        let older = object
        const look = async (lives: Lives, sight: Sight, by: { at: number; isStale: boolean; hasCluster: boolean }): Promise<boolean> => {
          let read = by.isStale ? older : object
          for (let round = 0; round < 6; round += 1) {
            const { annotation, isSettled } = await lives.observe({
              machine: { namespace: 'team', name: 'm', uid: 'u', ...(by.hasCluster && { cluster: 'c' }) },
              annotation: read.annotation,
              account: { kind: 'Owner', userUUID: 'f2a9e6a0-6a55-4f0e-9d5e-1b2c3d4e5f60', region: 'zrh' },
              sight,
              at: by.at,
              history: async () => [
                ...toggles
                  .filter((each) => each <= now)
                  .map((each) => ({ uuid: SERVER, action: runsAt(toggles, each) ? 'start' : 'stop', at: new Date(each).toISOString() })),
                ...('gone' in sight ? [{ uuid: SERVER, action: 'delete', at: new Date(now).toISOString() }] : []),
              ],
            })
            if (annotation === undefined) return isSettled
            if (read.version === object.version) {
              older = object
              object = { version: object.version + 1, annotation }
            }
            read = object
          }
          return false
        }
        await look(leaders[0] ?? leaderOf(ledger), sightAt(toggles, now), { at: now, isStale: false, hasCluster: true })
        for (const { afterMs, isChange, leader, sightAgoMs, isStale, restarts, hasCluster } of steps) {
          const next = isChange ? toggles.find((each) => each > now) : undefined
          now = next === undefined ? now + afterMs : next + (afterMs % 30_000)
          if (restarts) leaders[leader] = leaderOf(ledger)
          const at = Math.max(T0, now - sightAgoMs)
          await look(leaders[leader] ?? leaderOf(ledger), sightAt(toggles, at), { at, isStale, hasCluster })
        }
        now += 1
        for (const lives of leaders) await look(lives, sightAt(toggles, now), { at: now, isStale: false, hasCluster: false })
        const gone = await look(leaderOf(ledger), { gone: true }, { at: now, isStale: false, hasCluster: false })
        assert.equal(gone, true)
        const records = [...ledger.values()].toSorted((a, b) => a.startedAt - b.startedAt)
        let used = 0n
        for (const [index, record] of records.entries()) {
          const next = records[index + 1]
          assert.ok(next === undefined || record.endedAt <= next.startedAt, 'a time was counted twice')
          used += BigInt(record.meters['vm_cpu_mhz_hours'] ?? 0)
        }
        let ms = 0n
        for (let at = T0, index = 0; at < now; index += 1) {
          const end = Math.min(toggles[index] ?? now, now)
          if (runsAt(toggles, at)) ms += BigInt(end - at)
          at = end
        }
        assert.equal(used, (ms * BigInt(CPU) * 1_000_000n) / BigInt(HOUR))
      },
    ),
    { numRuns: 200, endOnFailure: true },
  )
})

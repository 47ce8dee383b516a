import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMeters } from '@ascribe/service'
import { createEventRecorder } from '../src/index.ts'
import type { EventRecorder, KubeEvent } from '../src/index.ts'
import { createFakeClocks } from '../src/testing.ts'
import type { FakeClocks } from '../src/testing.ts'
import { THINGS, thing } from './things.ts'
import type { Thing } from './things.ts'
import { startWorld } from './world.ts'
import type { KubeWorld } from './world.ts'

type Stage = {
  readonly recorder: EventRecorder
  readonly clocks: FakeClocks
  readonly object: Thing
  readonly meters: ReturnType<typeof createMeters>
}

async function stage(it: KubeWorld): Promise<Stage> {
  const clocks = createFakeClocks()
  const meters = createMeters()
  const object = await it.client.create(THINGS, thing('a', 'one', {}))
  const recorder = createEventRecorder({ client: it.client, controller: 'ascribe.dev/controller', instance: 'pod-1', clocks, meters })
  return { recorder, clocks, object, meters }
}

const events = (it: KubeWorld): KubeEvent[] => it.kube.list('events') as unknown as KubeEvent[]

test('record() writes an event about the object', async () => {
  await using it = await startWorld()
  const { recorder, object } = await stage(it)
  recorder.record(object, { type: 'Warning', reason: 'OwnerNotFound', note: 'there is no such user' })
  await recorder.flush()
  const [event] = events(it)
  assert.ok(event)
  assert.deepEqual([event.type, event.reason, event.note, event.action], ['Warning', 'OwnerNotFound', 'there is no such user', 'Reconcile'])
  assert.deepEqual(event.regarding, {
    apiVersion: THINGS.group + '/v1',
    kind: 'Thing',
    name: 'one',
    namespace: 'a',
    uid: object.metadata.uid,
  })
  assert.match(event.eventTime, /^\d{4}-.*\.\d{6}Z$/)
  assert.equal(event.metadata.namespace, 'a')
})

test('record() of the same again counts in a series, which ends after six quiet minutes', async () => {
  await using it = await startWorld()
  const { recorder, object, clocks } = await stage(it)
  const note = { type: 'Normal', reason: 'Waiting', note: 'for the drive' } as const
  for (let index = 0; index < 3; index += 1) recorder.record(object, note)
  await recorder.flush()
  assert.deepEqual(
    events(it).map(({ series }) => series?.count),
    [3],
  )
  await clocks.advance(361_000)
  recorder.record(object, note)
  await recorder.flush()
  assert.deepEqual(
    events(it).map(({ series }) => series?.count),
    [3, undefined],
  )
})

test('record() begins a new event when the old one is gone', async () => {
  await using it = await startWorld()
  const { recorder, object } = await stage(it)
  const note = { type: 'Normal', reason: 'Waiting', note: 'for the drive' } as const
  recorder.record(object, note)
  await recorder.flush()
  for (const { metadata } of events(it)) it.kube.remove('events', `a/${metadata.name}`)
  recorder.record(object, note)
  await recorder.flush()
  assert.equal(events(it).length, 1)
})

test('record() lets 25 pass for one object, then one each five minutes; others may still speak', async () => {
  await using it = await startWorld()
  const { recorder, object, clocks, meters } = await stage(it)
  const other = await it.client.create(THINGS, thing('a', 'two', {}))
  for (let index = 0; index < 40; index += 1) recorder.record(object, { type: 'Normal', reason: 'R', note: String(index) })
  recorder.record(other, { type: 'Normal', reason: 'R', note: 'other' })
  await recorder.flush()
  assert.equal(events(it).length, 26)
  assert.match(meters.render(), /ascribe_kube_events_dropped_total\{reason="spam"\} 15/)
  await clocks.advance(300_000)
  for (const note of ['x', 'y']) recorder.record(object, { type: 'Normal', reason: 'R', note })
  await recorder.flush()
  assert.equal(events(it).length, 27)
})

test('record() never fails, cuts what is too long, and disposing ends it while the server is away', async () => {
  await using it = await startWorld()
  const { recorder, object, clocks } = await stage(it)
  recorder.record(object, { type: 'Normal', reason: 'R'.repeat(300), note: 'n'.repeat(3000) })
  await recorder.flush()
  assert.deepEqual(
    events(it).map(({ reason, note }) => [reason.length, note.length]),
    [[128, 1024]],
  )
  it.kube.fault({ effect: { kind: 'status', status: 500, reason: 'InternalError' }, times: 1 })
  recorder.record(object, { type: 'Normal', reason: 'R', note: 'lost' })
  await recorder.flush()
  it.kube.fault({ match: { plural: 'events' }, effect: { kind: 'hang' } })
  recorder.record(object, { type: 'Normal', reason: 'R', note: 'hangs' })
  const closing = recorder[Symbol.asyncDispose]()
  await clocks.advance(5001)
  await closing
  recorder.record(object, { type: 'Normal', reason: 'R', note: 'too late' })
  await recorder.flush()
  assert.equal(events(it).length, 1)
})

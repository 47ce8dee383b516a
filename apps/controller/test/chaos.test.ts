import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CONFIG_MAPS } from '../src/abandon/orphan-record.ts'
import { leaks, ranTwice, startAuditor } from './chaos/auditor.ts'
import { startChaosWorld } from './chaos/chaos-world.ts'
import { runChaos } from './chaos/run-chaos.ts'
import { differences } from './chaos/state.ts'

// The whole controller in a storm. Larger: node apps/controller/test/chaos/main.ts --machines 100 --owners 5 --seconds 60

test(
  'chaos: errors, resets, revocations, lag, dropped watches, kills and two leaders leave what was asked for, once, and nothing else',
  { timeout: 180_000 },
  async (t) => {
    const seed = Date.now() % 100_000
    const report = await runChaos({ machines: 24, owners: 3, seconds: 6, seed, factor: 5 })
    t.diagnostic(JSON.stringify({ seed, ...report }))
    assert.deepEqual(report.differences, [])
    // At any instant: every server its owner's, every call to a host of the table and as an owner.
    assert.deepEqual(report.violations, [])
    assert.deepEqual(report.ranTwice, [])
    assert.deepEqual(report.leaks, [])
    assert.ok(report.looks > 50 && report.cloudCalls > 100 && report.processes >= 2)
  },
)

test('the auditor of the chaos test finds what it is there to find', async () => {
  await using world = await startChaosWorld({ owners: 2, factor: 1, seed: 3 })
  const [owner, other] = world.owners
  assert.ok(owner && other)
  const spec = { cpuMhz: 1000, memBytes: 1024 ** 3, vncPassword: 'x' }
  const auditor = startAuditor(world)
  const { object: mine } = await owner.eyes.servers.create({ ...spec, name: 'o0-m1' })
  const { object: orphan } = await other.eyes.servers.create({ ...spec, name: 'o0-m1' })
  const { object: drive } = await owner.eyes.drives.create({ name: 'left', sizeBytes: 1024 ** 3 })
  for (const uuid of [mine.uuid, orphan.uuid]) await (uuid === mine.uuid ? owner : other).eyes.servers.act(uuid, 'start')
  await world.client.create(CONFIG_MAPS, { metadata: { namespace: 'team-0', name: 'leak' }, data: { token: 'eyJhbGciOi' } })
  auditor[Symbol.dispose]()
  assert.match(auditor.violations().join('\n'), new RegExp(`server o0-m1 ${orphan.uuid} belongs to ${other.email}`))
  assert.match((await leaks(world, [])).join('\n'), /ConfigMap holds "eyJ"/)
  const { object: second } = await owner.eyes.servers.create({ ...spec, name: 'o0-m1' })
  await owner.eyes.servers.act(second.uuid, 'start')
  world.cloud.clock.advance(10_000)
  world.cloud.servers()
  assert.deepEqual(ranTwice(world), [`${owner.uuid} o0-m1`])
  world.cloud.clock.advance(60_000)
  const wrong = await differences(world, new Set(['team-0/o0-m1']))
  for (const what of ['team-0/o0-m1 is not there', `${orphan.uuid} is nobody's`, `drive left ${drive.uuid} is nobody's`])
    assert.ok(
      wrong.some((each) => each.includes(what)),
      what,
    )
})

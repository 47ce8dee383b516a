import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Capabilities, CloudSigma, Made, Server, Tag } from '@ascribe/cloudsigma'
import type { AccountPin } from '../authority/pin.ts'
import { createAccountViews } from './account-views.ts'
import { createCapabilityBook } from './capability-book.ts'
import { createTagBook } from './tag-book.ts'

const PIN: AccountPin = { kind: 'Owner', userUUID: '00000000-0000-4000-8000-000000000001', region: 'zrh' }

/** A cloud whose lists come when they are let. */
function lists(origin = 'https://direct.zrh.cloudsigma.com'): {
  readonly cloud: CloudSigma
  readonly waiting: PromiseWithResolvers<readonly Server[]>[]
} {
  const waiting: PromiseWithResolvers<readonly Server[]>[] = []
  const list = async (): Promise<readonly Server[]> => {
    const next = Promise.withResolvers<readonly Server[]>()
    waiting.push(next)
    return next.promise
  }
  return { cloud: { origin, servers: { list } } as unknown as CloudSigma, waiting }
}

test('servers() shares one list among all who may have it, and begins a new one for who needs it newer (R-12)', async () => {
  let now = 0
  const { cloud, waiting } = lists()
  const views = createAccountViews({ monotonic: () => now, wall: () => 0 })
  const early = [0, 0, 0].map((notBefore) => views.servers({ pin: PIN, cloud, notBefore }))
  now = 10
  const late = [10, 5].map((notBefore) => views.servers({ pin: PIN, cloud, notBefore }))
  assert.equal(waiting.length, 1)
  waiting[0]?.resolve([])
  await Promise.all(early)
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(waiting.length, 2, 'one for both of those who came too late for the first')
  waiting[1]?.resolve([])
  for (const listing of await Promise.all(late)) assert.equal(listing.begunAt, 10)
  now = 20
  assert.equal((await views.servers({ pin: PIN, cloud, notBefore: 10 })).begunAt, 10)
  assert.equal(waiting.length, 2)
})

test('servers() of one who waited for a list that failed begins another; accounts do not share', async () => {
  const { cloud, waiting } = lists()
  const views = createAccountViews({ monotonic: () => 0, wall: () => 0 })
  const first = views.servers({ pin: PIN, cloud, notBefore: 0 })
  waiting[0]?.reject(new Error('503'))
  await assert.rejects(first, /503/)
  const second = views.servers({ pin: PIN, cloud, notBefore: 0 })
  const other = views.servers({ pin: { ...PIN, region: 'sjc' }, cloud, notBefore: 0 })
  assert.equal(waiting.length, 3)
  for (const each of waiting) each.resolve([])
  await Promise.all([second, other])
})

test('two Impersonators that name a region alike share no list, no tag and no capabilities', async () => {
  const [here, there] = [lists(), lists('https://direct.elsewhere.example')]
  const views = createAccountViews({ monotonic: () => 0, wall: () => 0 })
  const both = [here, there].map(({ cloud }) => views.servers({ pin: PIN, cloud, notBefore: 0 }))
  assert.deepEqual([here.waiting.length, there.waiting.length], [1, 1])
  here.waiting[0]?.resolve([{ uuid: 'of-here' } as Server])
  there.waiting[0]?.resolve([])
  assert.deepEqual(
    (await Promise.all(both)).map(({ items }) => [...items.keys()]),
    [['of-here'], []],
  )
  const book = createCapabilityBook({ monotonic: () => 0 })
  const read: string[] = []
  for (const { cloud } of [here, there, here])
    await book.of(cloud.origin, async () => {
      read.push(cloud.origin)
      return {} as Capabilities
    })
  assert.deepEqual(read, [here.cloud.origin, there.cloud.origin])
  const tags = createTagBook()
  const made: string[] = []
  for (const { cloud } of [here, there]) {
    const tagged = { ...cloud, tags: { list: async () => [] } } as unknown as CloudSigma
    const make = async (name: string): Promise<Made<Tag>> => {
      made.push(cloud.origin)
      return { object: { uuid: `${name} at ${cloud.origin}` } } as Made<Tag>
    }
    const [uuid] = await tags.uuidsOf({ pin: PIN, cloud: tagged, names: ['a'], deadlineMs: 1, make })
    assert.equal(uuid, `a at ${cloud.origin}`)
  }
  assert.equal(made.length, 2)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CloudSigma, Server } from '@ascribe/cloudsigma'
import type { AccountPin } from '../authority/pin.ts'
import { createAccountViews } from './account-views.ts'

const PIN: AccountPin = { kind: 'Owner', userUUID: '00000000-0000-4000-8000-000000000001', region: 'zrh' }

/** A cloud whose lists come when they are let. */
function lists(): { readonly cloud: CloudSigma; readonly waiting: PromiseWithResolvers<readonly Server[]>[] } {
  const waiting: PromiseWithResolvers<readonly Server[]>[] = []
  const list = async (): Promise<readonly Server[]> => {
    const next = Promise.withResolvers<readonly Server[]>()
    waiting.push(next)
    return next.promise
  }
  return { cloud: { servers: { list } } as unknown as CloudSigma, waiting }
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

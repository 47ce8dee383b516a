import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { DISCOVER_PATH } from '@ascribe/impersonation'
import type { Discovered, TokenSource } from '@ascribe/impersonation'
import { silentLogger } from '@ascribe/kit'
import { createFakeClocks } from '@ascribe/kube/testing'
import { createMinterService } from '../src/minter/minter.ts'
import type { MinterOptions } from '../src/minter/minter.ts'

test('a flood of questions who somebody is never takes every place of those who mint', async () => {
  const asked: PromiseWithResolvers<Discovered>[] = []
  const discover = async (): Promise<Discovered> => {
    const one = Promise.withResolvers<Discovered>()
    asked.push(one)
    return one.promise
  }
  const source = { discover } as unknown as TokenSource
  const service = createMinterService({
    snapshot: { facts: () => ({ impersonator: () => undefined }), impersonator: () => ({}) },
    sources: { of: async () => source },
    records: { sink: async () => {}, find: () => undefined },
    clocks: createFakeClocks(),
    logger: silentLogger,
  } as unknown as MinterOptions)
  const caller = { name: 'api', mayMint: false, mayDiscover: true }
  const left = new AbortController()
  const ask = (index: number): Promise<{ readonly status: number; readonly body: string }> => {
    const question = { email: `user-${index}@example.com`, region: 'zrh', impersonator: 'prod', actor: {} }
    return service.answer(DISCOVER_PATH, JSON.stringify(question), { caller, signal: left.signal })
  }
  const answers = Array.from({ length: 200 }, (_, index) => ask(index))
  const full = await Promise.race(answers)
  assert.equal(full.status, 503)
  assert.match(full.body, /others wait for their turn/)
  assert.equal(asked.length, 2)
  asked[0]?.resolve({
    ownerUuid: 'f2a9e6a0-6a55-4f0e-9d5e-1b2c3d4e5f60',
    ownerEmail: 'user-0@example.com',
    state: 'confirmed',
  } as Discovered)
  assert.equal((await answers[0])?.status, 200)
  asked[1]?.reject(new TypeError('it failed'))
  assert.equal((await answers[1])?.status, 503)
  await setImmediate()
  assert.equal(asked.length, 4, 'a place that is given back is the next one’s')
  left.abort()
  for (const one of asked) one.reject(new TypeError('gone'))
  for (const { status } of await Promise.all(answers.slice(2))) assert.equal(status, 503)
})

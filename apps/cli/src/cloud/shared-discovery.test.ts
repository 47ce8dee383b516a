import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MintThrottledError, MintUnavailableError } from '@ascribe/impersonation'
import type { DiscoverRequest, TokenClock, TokenSource } from '@ascribe/impersonation'
import { shareDiscoveries } from './shared-discovery.ts'

type Discover = TokenSource['discover']
type Asked = readonly [email: string, object: string | undefined]

const OWNER = '0c7b1a52-13b5-4a0f-9a43-6f3a4f1a2b3c'
const wanted = (object: string, more: object = {}): Parameters<ReturnType<typeof shareDiscoveries>>[0] => ({
  email: 'ada@demo.example',
  region: 'zrh',
  requester: 'ada',
  object,
  ...more,
})

/** Time goes on by as much as somebody waits, and by nothing else. */
function clockOf(): TokenClock & { readonly waits: number[] } {
  let now = 0
  const waits: number[] = []
  return {
    waits,
    monotonicMs: () => now,
    wallMs: () => now,
    schedule(delayMs, run) {
      waits.push(delayMs)
      const timer = setImmediate(() => {
        now += delayMs
        run()
      })
      return () => clearImmediate(timer)
    },
  }
}

/** Lets `burst` through, then one each second, as the token source does for one address. */
function rationed(clock: TokenClock, { burst }: { readonly burst: number }): { readonly asked: Asked[]; readonly discover: Discover } {
  const asked: Asked[] = []
  let left = burst
  let filledAt = 0
  return {
    asked,
    async discover({ ownerEmail, actor }: DiscoverRequest) {
      left = Math.min(burst, left + (clock.monotonicMs() - filledAt) / 1000)
      filledAt = clock.monotonicMs()
      if (left < 1) throw new MintThrottledError('no', { step: 'local', reason: 'owner_rate', retryAfterMs: Math.ceil((1 - left) * 1000) })
      left -= 1
      asked.push([ownerEmail, actor?.['object']])
      return { ownerUuid: OWNER } as Awaited<ReturnType<Discover>>
    },
  }
}

test('a burst of one owner is never refused for the ration: those who wait share one question, and all of them stand in the trail', async () => {
  const clock = clockOf()
  const source = rationed(clock, { burst: 1 })
  const discover = shareDiscoveries(source, clock)
  await discover(wanted('first'))
  const found = await Promise.all(Array.from({ length: 40 }, (_, index) => discover(wanted(`c${index}`))))
  assert.deepEqual(new Set(found.map(({ userUUID }) => userUUID)), new Set([OWNER]))
  assert.deepEqual(clock.waits, [1000], 'one turn for all of them')
  const ten = Array.from({ length: 10 }, (_, index) => `c${index}`).join(', ')
  assert.deepEqual(source.asked, [
    ['ada@demo.example', 'first'],
    ['ada@demo.example', `${ten} and 30 more`],
  ])
})

test('an answer is not kept: whoever comes after the question was sent has it asked again', async () => {
  const clock = clockOf()
  const sent = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<Awaited<ReturnType<Discover>>>()
  let questions = 0
  const discover = shareDiscoveries(
    {
      async discover() {
        questions += 1
        sent.resolve()
        return answer.promise
      },
    },
    clock,
  )
  const early = discover(wanted('a'))
  await sent.promise
  const late = discover(wanted('b'))
  answer.resolve({ ownerUuid: OWNER } as Awaited<ReturnType<Discover>>)
  await Promise.all([early, late])
  assert.equal(questions, 2)
})

test('another address, region or asker never shares a question', async () => {
  const clock = clockOf()
  const source = rationed(clock, { burst: 4 })
  const discover = shareDiscoveries(source, clock)
  await Promise.all([
    discover(wanted('a')),
    discover(wanted('b', { email: 'max@demo.example' })),
    discover(wanted('c', { region: 'sjc' })),
    discover(wanted('d', { requester: 'max' })),
  ])
  assert.deepEqual(new Set(source.asked.map(([, object]) => object)), new Set(['a', 'b', 'c', 'd']))
})

test('what would take too long, and what is no ration, is said at once', async () => {
  const clock = clockOf()
  const failing = (error: Error): ReturnType<typeof shareDiscoveries> => shareDiscoveries({ discover: () => Promise.reject(error) }, clock)
  const long = new MintThrottledError('long', { step: 'local', reason: 'owner_rate', retryAfterMs: 60_000 })
  await assert.rejects(failing(long)(wanted('a')), long)
  const down = new MintUnavailableError('down', { step: 'impersonate', reason: 'server_error', retryAfterMs: 1 })
  await assert.rejects(failing(down)(wanted('a')), down)
  assert.deepEqual(clock.waits, [])
  const always = new MintThrottledError('always', { step: 'local', reason: 'queue_full', retryAfterMs: 1000 })
  await assert.rejects(failing(always)(wanted('a')), always)
  assert.equal(clock.waits.length, 8, 'it ends')
})

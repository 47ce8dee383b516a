import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import fc from 'fast-check'
import { silentLogger } from '@ascribe/kit'
import { IdempotencyStore, RETENTION_MS } from '../src/idempotency-store.ts'
import type { IdempotencyStoreOptions, KeyClaim } from '../src/idempotency-store.ts'

type Place = { readonly path: string; store(options?: Partial<IdempotencyStoreOptions>): IdempotencyStore } & Disposable

function place(): Place {
  const folder = mkdtempSync(join(tmpdir(), 'ascribe-idempotency-'))
  const path = join(folder, 'idempotency.db')
  const open = new DisposableStack()
  return {
    path,
    store: (options) =>
      open.use(new IdempotencyStore({ path, writer: 'w1', isDead: () => false, clock: () => 1_000_000, logger: silentLogger, ...options })),
    [Symbol.dispose]() {
      open.dispose()
      rmSync(folder, { recursive: true })
    },
  }
}

function claimed(store: IdempotencyStore, key: string, eventId = 'e1', authId = 'a'): KeyClaim {
  const outcome = store.claim(authId, key, eventId)
  assert.equal(outcome.kind, 'claimed', `${key} of ${authId} is taken`)
  return (outcome as Extract<typeof outcome, { kind: 'claimed' }>).claim
}

test('a key of a process that was killed is free, one that it had answered is not', () => {
  using at = place()
  const killed = at.store()
  claimed(killed, 'open', 'e1')
  killed.complete(claimed(killed, 'answered', 'e2'))
  let isDead = false
  const next = at.store({ writer: 'w2', isDead: (writer) => writer === 'w1' && isDead })
  assert.deepEqual(next.claim('a', 'open', 'e3'), { kind: 'in_flight', eventId: 'e1' }, 'it lives')
  isDead = true
  const taken = claimed(next, 'open', 'e3')
  assert.deepEqual(next.claim('a', 'answered', 'e4'), { kind: 'completed', eventId: 'e2' })
  // What the dead one might still say of a key that is somebody else's now changes nothing.
  killed.free({ ...taken, eventId: 'e1' })
  killed.complete({ ...taken, eventId: 'e1' })
  assert.deepEqual(next.claim('a', 'open', 'e5'), { kind: 'in_flight', eventId: 'e3' })
})

test('a key is refused for a day, and what is older is not kept', () => {
  using at = place()
  let now = 1_000_000
  const store = at.store({ clock: () => now })
  store.complete(claimed(store, 'one'))
  for (let n = 0; n < 10; n += 1) store.complete(claimed(store, `old ${n}`))
  now += RETENTION_MS
  assert.equal(store.claim('a', 'one', 'e2').kind, 'completed', 'to the end of the day')
  now += 1
  claimed(store, 'one', 'e2')
  for (let n = 0; n < 10; n += 1) claimed(store, `new ${n}`)
  using db = new DatabaseSync(at.path, { readOnly: true })
  assert.equal(db.prepare('select count(*) as n from claim where completed = 1').get()?.['n'], 0)
})

test('nobody makes the machine forget the keys of others, and all together stay within their bound', () => {
  using at = place()
  const store = at.store({ bounds: { keys: 12, credentialKeys: 5 } })
  store.complete(claimed(store, 'mine', 'e1', 'careful'))
  for (let n = 0; n < 100; n += 1) store.complete(claimed(store, `k${n}`, 'e', 'greedy'))
  assert.equal(store.claim('careful', 'mine', 'e2').kind, 'completed')
  assert.equal(store.claim('greedy', 'k99', 'e2').kind, 'completed', 'of its own the oldest go first')
  for (let n = 0; n < 100; n += 1) store.complete(claimed(store, 'k', 'e', `one of many ${n}`))
  using db = new DatabaseSync(at.path, { readOnly: true })
  assert.equal(db.prepare('select count(*) as n from claim').get()?.['n'], 12)
  assert.equal(store.claim('one of many 99', 'k', 'e2').kind, 'completed')
})

test('a key in flight is never forgotten for lack of room', () => {
  using at = place()
  const store = at.store({ bounds: { keys: 3, credentialKeys: 2 } })
  for (const key of ['a', 'b', 'c', 'd', 'e']) claimed(store, key)
  for (const key of ['a', 'b', 'c', 'd', 'e']) assert.equal(store.claim('a', key, 'e2').kind, 'in_flight')
})

test('what cannot be written when a request ends is written before the next key is taken', () => {
  using at = place()
  const store = at.store()
  const [answered, failed] = [claimed(store, 'answered'), claimed(store, 'failed')]
  {
    using other = new DatabaseSync(at.path)
    other.exec('begin immediate')
    store.complete(answered)
    store.free(failed)
    assert.throws(() => store.claim('a', 'answered', 'e2'), /locked/, 'until then nothing can be told')
    other.exec('rollback')
  }
  assert.equal(store.claim('a', 'answered', 'e2').kind, 'completed')
  claimed(store, 'failed', 'e2')
})

test('a damaged file is set aside and said so: it does not refuse keys for ever', () => {
  using at = place()
  writeFileSync(at.path, 'no database at all '.repeat(1000))
  const said: string[] = []
  const store = at.store({ logger: { ...silentLogger, error: (message) => void said.push(message) } })
  assert.throws(() => store.claim('a', 'one', 'e1'), /not a database/)
  store.complete(claimed(store, 'one'))
  assert.equal(store.claim('a', 'one', 'e2').kind, 'completed')
  assert.match(said.join(), /damaged and forgotten/)
  assert.match(readFileSync(`${at.path}.damaged`, 'utf8'), /^no database/)
})

test('neither keys nor auth ids can be read in the file, which is for its owner alone', () => {
  using at = place()
  const store = at.store()
  store.complete(claimed(store, 'order-of-ann@example.com', 'e1', 'auth-of-ann'))
  const text = readFileSync(at.path, 'latin1') + readFileSync(`${at.path}-wal`, 'latin1')
  assert.ok(!text.includes('example.com') && !text.includes('auth-of'))
  assert.equal(statSync(at.path).mode & 0o777, 0o600)
})

test('any run of claims says the same as a list of who has what', () => {
  const step = fc.record({
    who: fc.constantFrom('a', 'ab', ''),
    key: fc.constantFrom('b', 'bc', 'c', '1 a'),
    next: fc.constantFrom('complete', 'free', 'nothing'),
  })
  using at = place()
  const store = at.store()
  let run = 0
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      run += 1
      const known = new Map<string, { eventId: string; kind: 'in_flight' | 'completed' }>()
      for (const [n, { who, key, next }] of steps.entries()) {
        const place = JSON.stringify([who, key])
        const eventId = `${run}.${n}`
        const outcome = store.claim(`${run} ${who}`, key, eventId)
        const taken = known.get(place)
        if (taken !== undefined) {
          assert.deepEqual(outcome, taken)
        } else {
          assert(outcome.kind === 'claimed')
          if (next === 'complete') store.complete(outcome.claim)
          if (next === 'free') store.free(outcome.claim)
          else known.set(place, { eventId, kind: next === 'complete' ? 'completed' : 'in_flight' })
        }
      }
    }),
    { numRuns: 40 },
  )
})

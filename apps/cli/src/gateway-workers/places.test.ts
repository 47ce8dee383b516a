import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pauseBefore, socketsOf } from './places.ts'

test('socketsOf() leaves no socket without a worker and no worker without a socket', () => {
  for (let workers = 1; workers <= 20; workers += 1) {
    for (let sockets = 1; sockets <= 20; sockets += 1) {
      const all = Array.from({ length: workers }, (_none, worker) => socketsOf(worker, { workers, sockets }))
      assert.ok(all.every((own) => own.length > 0))
      assert.deepEqual(new Set(all.flat()).size, sockets)
      if (sockets >= workers) assert.equal(all.flat().length, sockets, 'no two on one socket where there are enough')
    }
  }
})

test('pauseBefore() starts a worker again at once, and one that dies again and again ever later, up to half a minute', () => {
  assert.deepEqual([1, 2, 3, 4, 5, 20].map(pauseBefore), [0, 250, 500, 1000, 2000, 30_000])
})

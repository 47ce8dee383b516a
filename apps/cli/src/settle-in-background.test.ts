import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { tryLock } from '@ascribe/service'
import type { Settler } from '@ascribe/settler'
import { settleInBackground } from './settle-in-background.ts'

test('nobody else settles while a settler is at work: its lock is held until its last pass is over', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ascribe-settle-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const lockPath = join(folder, 'settler.lock')
  const started = Promise.withResolvers<void>()
  const settler: Settler = {
    trouble: undefined,
    pass: () => Promise.resolve(),
    async run(signal) {
      started.resolve()
      await once(signal, 'abort')
      assert.equal(tryLock(lockPath), undefined, 'the lock was gone before the last pass')
    },
  }
  const faults: unknown[] = []
  const background = settleInBackground(settler, { lockPath, scope: { stop: (error) => void faults.push(error) } })
  await started.promise
  assert.equal(tryLock(lockPath), undefined, 'the lock was gone while it worked')
  await background[Symbol.asyncDispose]()
  assert.deepEqual(faults, [])
  const after = tryLock(lockPath)
  assert.notEqual(after, undefined)
  after?.[Symbol.dispose]()
})

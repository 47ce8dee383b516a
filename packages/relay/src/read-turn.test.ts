import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { setImmediate as immediate } from 'node:timers/promises'
import { ReadTurn } from './read-turn.ts'

test('ReadTurn lets everybody catch up after the turn, in the order in which they came', async () => {
  const turn = new ReadTurn()
  const seen: string[] = []
  turn.later({ catchUp: () => seen.push('first') })
  turn.later({ catchUp: () => seen.push('second') })
  assert.deepEqual(seen, [])
  await immediate()
  assert.deepEqual(seen, ['first', 'second'])
})

test('ReadTurn takes who comes while others catch up in the next turn', async () => {
  const turn = new ReadTurn()
  let rounds = 0
  const again = {
    catchUp: () => {
      rounds += 1
      if (rounds < 3) turn.later(again)
    },
  }
  turn.later(again)
  await immediate()
  assert.equal(rounds, 1)
  await immediate()
  await immediate()
  assert.equal(rounds, 3)
})

test('a bug in one connection never keeps the others from being read', () => {
  // In a process of its own: the test runner has a word of its own on what nobody catches.
  const script = `
    import { ReadTurn } from ${JSON.stringify(new URL('./read-turn.ts', import.meta.url).href)}
    process.on('uncaughtException', (error) => console.log(error.message))
    const turn = new ReadTurn()
    for (const word of ['before', 'a bug', 'after'])
      turn.later({ catchUp: () => { if (word === 'a bug') throw new Error(word); console.log(word) } })`
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' })
  assert.deepEqual(output.trim().split('\n'), ['before', 'a bug', 'after'])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OpenSessions } from './open-sessions.ts'

test('OpenSessions holds what was added and not removed, whatever the order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), (choices) => {
      const open = new OpenSessions<{ listIndex: number }>()
      const expected = new Set<{ listIndex: number }>()
      for (const choice of choices) {
        const members = [...expected]
        const member = members[choice % (members.length + 1)]
        if (member === undefined) {
          const added = { listIndex: -1 }
          open.add(added)
          expected.add(added)
        } else {
          open.remove(member)
          expected.delete(member)
        }
        assert.deepEqual(new Set(open.all()), expected)
      }
    }),
  )
})

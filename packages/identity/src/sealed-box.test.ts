import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { seal, unseal } from './sealed-box.ts'

const [old, current] = [randomBytes(32), randomBytes(32)]
const context = { purpose: 'web session', place: 'row-1' }

test('unseal() opens what seal() sealed, and two seals of one text differ', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => unseal(current, context, seal(current, context, text)) === text))
  assert.notDeepEqual(seal(current, context, 'x'), seal(current, context, 'x'))
})

test('unseal() opens under any listed secret, and not when it has been taken away', () => {
  const sealed = seal(old, context, 'x')
  assert.equal(unseal([current, old], context, sealed), 'x')
  assert.equal(unseal(current, context, sealed), undefined)
})

test('unseal() opens nothing that was changed, moved, or sealed for something else', () => {
  const sealed = seal(current, context, 'some text')
  for (const [index, byte] of sealed.entries()) {
    const changed = Buffer.from(sealed)
    changed[index] = byte ^ 1
    assert.equal(unseal(current, context, changed), undefined, String(index))
  }
  for (let length = 0; length < sealed.length; length += 1) assert.equal(unseal(current, context, sealed.subarray(0, length)), undefined)
  assert.equal(unseal(current, { ...context, place: 'row-2' }, sealed), undefined)
  assert.equal(unseal(current, { ...context, purpose: 'login' }, sealed), undefined)
  assert.ok(!sealed.includes('some text'))
})

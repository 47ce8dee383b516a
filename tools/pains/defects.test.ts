import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderDefects } from '../defects.ts'
import { createTree } from '../tidy/tree.ts'
import { DEFECTS } from './defects.ts'

const tree = createTree({ 'packages/units/src/a.test.ts': "test('it holds', () => {})\n" })
const defect = { number: 7, wrong: 'It is lost.', here: 'It is kept.' }

test('renderDefects() names file and test of each defect, and throws when a test is no longer there', () => {
  assert.match(
    renderDefects(tree, [{ ...defect, proofs: ['it holds'] }]),
    /\| 7 \| It is lost\. \| It is kept\. \| `packages\/units\/src\/a\.test\.ts`: it holds \|/,
  )
  assert.throws(() => renderDefects(tree, [{ ...defect, proofs: ['it holds', 'it held'] }]), /there is no test "it held" any more/)
})

test('every defect of the reference has at least one test', () => {
  assert.deepEqual(
    DEFECTS.filter(({ proofs }) => proofs.length === 0).map(({ number }) => number),
    [],
  )
})

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { knobTable } from '../../src/cloud/knob-table.ts'
import { INITIAL_KNOBS, KNOBS, parseKnobs } from '../../src/cloud/knobs.ts'

test('docs/guides/sandbox-cloud.md has the table of knobs as the code has it', () => {
  const guide = readFileSync(join(import.meta.dirname, '../../../../docs/guides/sandbox-cloud.md'), 'utf8')
  const rows = guide.split('\n').filter((line) => /^\| `\w+` \|.*\| \d* \|$/.test(line))
  assert.deepEqual(rows, knobTable().slice(2))
})

test('parseKnobs() takes what every knob starts with', () => {
  assert.deepEqual(parseKnobs({ ...INITIAL_KNOBS }), INITIAL_KNOBS)
})

test('KNOBS has one for each of the eleven open questions to CloudSigma', () => {
  const asked = new Set(Object.values(KNOBS).flatMap(({ question }) => question ?? []))
  assert.deepEqual(
    [...asked].toSorted((a, b) => a - b),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  )
})

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { knobTable } from '../../src/cloud/knob-table.ts'
import { INITIAL_KNOBS, parseKnobs } from '../../src/cloud/knobs.ts'

test('docs/guides/sandbox-cloud.md has the table of knobs as the code has it', () => {
  const guide = readFileSync(join(import.meta.dirname, '../../../../docs/guides/sandbox-cloud.md'), 'utf8')
  const rows = guide.split('\n').filter((line) => /^\| `\w+` \|.*\| \d* \|$/.test(line))
  assert.deepEqual(rows, knobTable().slice(2))
})

test('parseKnobs() takes what every knob starts with', () => {
  assert.deepEqual(parseKnobs({ ...INITIAL_KNOBS }), INITIAL_KNOBS)
})

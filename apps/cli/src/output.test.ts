import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alignedLines } from './output.ts'
import type { Style } from './output.ts'

const same = (text: string): string => text
const plain: Style = { dim: same, bold: same, good: same, bad: same, warn: same }

test('alignedLines() pads every column to its widest cell and leaves no trailing space', () => {
  const lines = alignedLines(
    [{ title: 'model' }, { title: 'tokens', align: 'right' }, { title: 'note' }],
    [
      ['a', '12345678', ''],
      ['longer-name', '1', 'x'],
    ],
    plain,
  )
  assert.deepEqual(lines, ['model          tokens  note', 'a            12345678', 'longer-name         1  x'])
})

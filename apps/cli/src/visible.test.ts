import assert from 'node:assert/strict'
import { test } from 'node:test'
import { visible } from './visible.ts'

test('visible() never lets what somebody else wrote reach the terminal as a command (H-27)', () => {
  assert.equal(visible('\u001b[31mred\u001b]0;title\u0007'), '\\u{1b}[31mred\\u{1b}]0;title\\u{7}')
  assert.equal(visible('a\nb\r\u2028c'), 'a\\u{a}b\\u{d}\\u{2028}c')
  assert.equal(visible('\u202Eevil\u200B\u009B'), '\\u{202e}evil\\u{200b}\\u{9b}')
})

test('visible() leaves what can be read as it is', () => {
  const text = "usér+tag@example.com 漢字 😀 'x' \\u{1b}"
  assert.equal(visible(text), text)
})

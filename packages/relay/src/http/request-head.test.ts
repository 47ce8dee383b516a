import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HEAD_BAD } from './head-scan.ts'
import { RequestHeadReader } from './request-head.ts'

test('a coding with blanks behind it, which parsers read differently, is never taken', () => {
  const read = (coding: string): number => {
    const bytes = Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ${coding}\r\n\r\n`, 'latin1')
    return new RequestHeadReader().read(bytes, { at: 0, end: bytes.length })
  }
  assert.ok(read('chunked') > 0)
  for (const blanks of ['\t', ' ', ' \t']) assert.equal(read(`chunked${blanks}`), HEAD_BAD, JSON.stringify(blanks))
})

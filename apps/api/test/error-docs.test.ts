import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { API_ERRORS, LISTENERS, openApiDocument } from '@ascribe/contract'

test('docs/guides/api.md describes every error code with its status and reason, and none that there is not', async () => {
  const page = await readFile(join(import.meta.dirname, '..', '..', '..', 'docs', 'guides', 'api.md'), 'utf8')
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\d{3}) \| `(\w+)` \| (.+) \|$/gm)]
  const told = rows.map(([, code, status, reason, meaning]) => [code, Number(status), reason, (meaning ?? '').length > 5])
  const wanted = Object.entries(API_ERRORS).map(([code, { status, reason }]) => [code, status, reason, true])
  assert.deepEqual(told, wanted)
})

test('every error code is named by an operation of some document, but those of what is no operation', () => {
  const text = LISTENERS.map((listener) => JSON.stringify(openApiDocument(listener)['paths'])).join()
  const described = Object.keys(API_ERRORS).filter((code) => new RegExp(`\\b${code}\\b`).test(text))
  const nowhere = Object.keys(API_ERRORS).filter((code) => !described.includes(code))
  assert.deepEqual(nowhere, ['route_not_found', 'method_not_allowed'])
})

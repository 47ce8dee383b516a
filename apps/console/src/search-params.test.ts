import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatSearch, isDay, oneOf, optionalDay, optionalText, parseSearch, readSearch, texts, writeSearch } from './search-params.ts'
import type { SearchFields } from './search-params.ts'

type State = {
  readonly view: 'daily' | 'cumulative'
  readonly from: string | undefined
  readonly f: readonly string[]
  readonly q: string | undefined
}
const FIELDS: SearchFields<State> = {
  view: oneOf(['daily', 'cumulative'], 'daily'),
  from: optionalDay(),
  f: texts((text) => text.includes(':')),
  q: optionalText(),
}

test('formatSearch() and parseSearch() keep every text as it is: nothing is taken for a number or for JSON', () => {
  const value = fc.oneof(fc.string(), fc.constantFrom('1', 'true', 'null', '{"a":1}', '[1]', '"x"'))
  const search = fc.dictionary(
    fc.string({ minLength: 1 }).filter((name) => name !== '__proto__'),
    fc.oneof(value, fc.array(value, { minLength: 2 })),
  )
  fc.assert(fc.property(search, (given) => assert.deepEqual({ ...parseSearch(formatSearch(given)) }, { ...given })))
})

test('readSearch() gives back what writeSearch() has written, and writes no defaults', () => {
  const state = fc.record({
    view: fc.constantFrom('daily' as const, 'cumulative' as const),
    from: fc.option(fc.constantFrom('2026-11-22', '2024-02-29'), { nil: undefined }),
    f: fc.uniqueArray(fc.string().map((text) => `model:${text}`)),
    q: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
  })
  fc.assert(
    fc.property(state, (given) =>
      assert.deepEqual(readSearch(FIELDS, parseSearch(formatSearch(writeSearch(FIELDS, given)))), { state: { ...given }, dropped: [] }),
    ),
  )
  assert.equal(formatSearch(writeSearch(FIELDS, { view: 'daily', from: undefined, f: [], q: undefined })), '')
})

test('readSearch() drops what means nothing and says so, and never throws', () => {
  const raw = { view: 'weekly', from: '2026-02-30', f: ['model:a', 'nonsense'], other: '1' }
  assert.deepEqual(readSearch(FIELDS, raw), {
    state: { view: 'daily', from: undefined, f: [], q: undefined },
    dropped: ['view', 'from', 'f'],
  })
  fc.assert(fc.property(fc.webQueryParameters(), (text) => void readSearch(FIELDS, parseSearch(text))))
})

test('isDay() knows days that exist', () => {
  assert.deepEqual(['2026-11-22', '2024-02-29', '2026-02-29', '2026-13-01', '2026-1-1', ' 2026-11-22', '2026-11-22T00:00'].map(isDay), [
    true,
    true,
    false,
    false,
    false,
    false,
    false,
  ])
})

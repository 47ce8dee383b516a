import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalJson, isWrittenNumber, parseExactJson } from './exact-json.ts'

test('parseExactJson() keeps every number as it was written', () => {
  for (const text of ['0.10', '1e3', '12345678901234567890', '-0', '1.0', '9007199254740992', '1E400']) {
    const value = parseExactJson(text)?.value
    assert.ok(isWrittenNumber(value), text)
    assert.deepEqual([value.rawJSON, JSON.stringify(value)], [text, text])
  }
  assert.deepEqual(parseExactJson('[0, 7, -7, 9007199254740991]')?.value, [0, 7, -7, 9_007_199_254_740_991])
})

test('parseExactJson() gives undefined for what is no JSON, or is nested so deep that nobody meant it', () => {
  for (const text of ['', '{', '{},{}', 'NaN', "{'a':1}", '[1,]', `${'['.repeat(65)}${']'.repeat(65)}`, '['.repeat(200_000)]) {
    assert.equal(parseExactJson(text), undefined, text.slice(0, 20))
  }
  assert.notEqual(parseExactJson(`${'['.repeat(64)}${']'.repeat(64)}`), undefined)
})

test('canonicalJson() is the same for the same value, whatever the order of fields, and another for another value', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.jsonValue({ maxDepth: 4 }), (a, b) => {
      const reversed = JSON.stringify(a, (_key, value: unknown) =>
        typeof value === 'object' && value !== null && !Array.isArray(value)
          ? Object.fromEntries(Object.entries(value).toReversed())
          : value,
      )
      const [first, second, other] = [JSON.stringify(a), reversed, JSON.stringify(b)].map((text) =>
        canonicalJson(parseExactJson(text)?.value),
      )
      assert.equal(first, second)
      assert.deepEqual(JSON.parse(first ?? ''), JSON.parse(JSON.stringify(a)))
      if (first === other) assert.deepEqual(JSON.parse(JSON.stringify(a)), JSON.parse(JSON.stringify(b)))
    }),
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readUsage } from './usage-block.ts'
import { metersOf } from './usage-counts.ts'
import type { UsageCounts } from './usage-counts.ts'
import type { Api } from './record.ts'

function countsOf(usage: unknown, api: Api = 'chat'): UsageCounts {
  const reading = readUsage(usage, api)
  if (reading.kind !== 'counts') return assert.fail(`${reading.kind}: ${JSON.stringify(usage)}`)
  return reading.counts
}

const BASE = { prompt_tokens: 100, completion_tokens: 50 }

test('readUsage() takes integers only, whatever they look like, and nothing that would be a credit', () => {
  assert.equal(countsOf(JSON.parse('{"prompt_tokens":300.0,"completion_tokens":3e2}')).completion, 300)
  const invalid = ['-1', '0.5', '"300"', '1000000001', '9007199254740991', '9007199254740993', '1e400', 'true', '[]', '{}']
  for (const count of invalid) {
    assert.equal(readUsage(JSON.parse(`{"prompt_tokens":${count},"completion_tokens":1}`), 'chat').kind, 'invalid', count)
    assert.equal(readUsage(JSON.parse(`{"prompt_tokens":1,"completion_tokens":${count}}`), 'chat').kind, 'invalid', count)
  }
  assert.equal(Object.is(countsOf({ prompt_tokens: -0, completion_tokens: 0 }).prompt, 0), true)
})

test('readUsage() tells a missing report from a malformed one', () => {
  for (const absent of [null, undefined, {}, { prompt_tokens: null }, { cost: 1 }]) assert.equal(readUsage(absent, 'chat').kind, 'absent')
  for (const invalid of [1, 'x', [], true, { prompt_tokens: 1 }, { total_tokens: 5 }])
    assert.equal(readUsage(invalid, 'chat').kind, 'invalid')
})

test('readUsage() completes what the total proves', () => {
  assert.equal(countsOf({ prompt_tokens: 4, total_tokens: 11 }).completion, 7)
  assert.equal(readUsage({ prompt_tokens: 12, total_tokens: 11 }, 'chat').kind, 'invalid')
  assert.deepEqual([countsOf({ total_tokens: 11 }, 'embeddings').prompt, countsOf({ prompt_tokens: 5 }, 'embeddings').completion], [11, 0])
})

test('readUsage() never lets a malformed detail take something off the price or charge twice', () => {
  const cached = (value: unknown): UsageCounts => countsOf({ ...BASE, prompt_tokens_details: { cached_tokens: value } })
  assert.deepEqual([cached(40).cached, cached(40).flagged], [40, false])
  assert.deepEqual([cached(140).cached, cached(140).flagged], [100, true])
  assert.deepEqual([cached(-40).cached, cached(-40).flagged], [undefined, true])
  assert.deepEqual([cached('40').cached, cached(1.5).cached], [undefined, undefined])
  assert.deepEqual(metersOf(cached(-40), 'chat'), { input_tokens: 100, output_tokens: 50, reasoning_tokens: 0 })
  const reasoning = countsOf({ ...BASE, completion_tokens_details: { reasoning_tokens: 60 } })
  assert.deepEqual([reasoning.completion, reasoning.reasoning, reasoning.flagged], [50, 50, true])
  assert.equal(countsOf({ ...BASE, total_tokens: 999 }).flagged, true)
})

test('readUsage() adds reasoning tokens that the total proves to stand beside the completion', () => {
  const beside = countsOf({ ...BASE, total_tokens: 950, completion_tokens_details: { reasoning_tokens: 800 } })
  assert.deepEqual([beside.completion, beside.reasoning, beside.flagged], [850, 800, false])
  const inside = countsOf({ ...BASE, total_tokens: 150, completion_tokens_details: { reasoning_tokens: 30 } })
  assert.deepEqual([inside.completion, inside.reasoning, inside.flagged], [50, 30, false])
})

test('readUsage() takes cache hits in the style of DeepSeek only where hits and misses are the prompt', () => {
  assert.equal(countsOf({ ...BASE, prompt_cache_hit_tokens: 64, prompt_cache_miss_tokens: 36 }).cached, 64)
  assert.equal(countsOf({ ...BASE, prompt_cache_hit_tokens: 64, prompt_cache_miss_tokens: 100 }).cached, 0)
  assert.equal(countsOf({ ...BASE, cache_read_input_tokens: 64 }).cached, 0, 'not known to be inside the prompt')
})

test('metersOf() names the plain classes always, audio when there is some, and for embeddings only what goes in', () => {
  const audio = {
    ...BASE,
    prompt_tokens_details: { audio_tokens: 7, cached_tokens: 90 },
    completion_tokens_details: { audio_tokens: 5, reasoning_tokens: 1 },
  }
  assert.deepEqual(metersOf(countsOf(audio), 'chat'), {
    input_tokens: 3,
    cached_input_tokens: 90,
    input_audio_tokens: 7,
    output_tokens: 44,
    reasoning_tokens: 1,
    output_audio_tokens: 5,
  })
  assert.deepEqual(metersOf(countsOf(BASE), 'completions'), {
    input_tokens: 100,
    cached_input_tokens: 0,
    output_tokens: 50,
    reasoning_tokens: 0,
  })
  assert.deepEqual(metersOf(countsOf({ prompt_tokens: 5 }, 'embeddings'), 'embeddings'), { input_tokens: 5 })
})

test('metersOf() gives classes that are disjoint and add up to prompt and completion, for any report (property)', () => {
  const count = fc.oneof(fc.nat(200), fc.maxSafeInteger(), fc.double(), fc.constantFrom(null, '5', -3, {}))
  const details = fc.record({ cached_tokens: count, audio_tokens: count, reasoning_tokens: count }, { requiredKeys: [] })
  const usage = fc.record(
    {
      prompt_tokens: count,
      completion_tokens: count,
      total_tokens: count,
      prompt_tokens_details: details,
      completion_tokens_details: details,
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(usage, fc.constantFrom<Api>('chat', 'completions', 'embeddings'), (report, api) => {
      const reading = readUsage(report, api)
      if (reading.kind !== 'counts') return
      const values = Object.values(metersOf(reading.counts, api))
      assert.ok(values.every((value) => Number.isSafeInteger(value) && value >= 0))
      const total = values.reduce((sum, value) => sum + BigInt(value), 0n)
      assert.equal(total, BigInt(reading.counts.prompt) + BigInt(reading.counts.completion))
    }),
    { numRuns: 1000 },
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Settlement } from '@ascribe/usage'
import { billed } from './bill-attempts.ts'

const KNOWN: Settlement = {
  endedAt: 9,
  outcome: 'completed',
  provenance: 'reported',
  promptTokens: 10,
  cachedTokens: 4,
  completionTokens: 5,
  meters: { input_tokens: 6, cached_input_tokens: 4, output_tokens: 5 },
}
const UNKNOWN: Settlement = {
  endedAt: 9,
  outcome: 'upstream_error',
  provenance: 'unknown',
  promptTokens: null,
  cachedTokens: null,
  completionTokens: null,
  meters: {},
}

test('billed() adds up: the meters of a record are those of its billed attempts, and nothing is ever added to what is unknown', () => {
  fc.assert(
    fc.property(
      fc.array(fc.boolean(), { minLength: 1, maxLength: 3 }),
      fc.option(fc.nat(1000), { nil: undefined }),
      fc.boolean(),
      (begun, promptTokens, isKnown) => {
        const own = isKnown ? KNOWN : UNKNOWN
        const failed = begun.map((mayHaveBegun, at) => ({
          upstream: `u${at}`,
          startedMs: at,
          endedMs: at + 1,
          failure: 'reset',
          mayHaveBegun,
        }))
        const settlement = billed(own, { failed, last: { upstream: 'last', startedMs: 4, endedMs: 5 }, promptTokens })
        const sums: Record<string, number> = {}
        for (const { meters, billed: isBilled } of settlement.attempts ?? [])
          if (isBilled) for (const [meter, count] of Object.entries(meters)) sums[meter] = (sums[meter] ?? 0) + count
        assert.deepEqual(settlement.meters, sums)
        assert.equal(settlement.completionTokens, own.completionTokens)
        assert.equal(settlement.promptTokens === null, !isKnown)
        if (isKnown) assert.equal(settlement.promptTokens, (sums['input_tokens'] ?? 0) + 4)
        if (settlement.promptTokens !== own.promptTokens) assert.equal(settlement.provenance, 'estimated')
        // What an upstream cannot have begun is billed to nobody.
        settlement.attempts?.slice(0, -1).forEach((attempt, at) => assert.ok(begun[at] === true || !attempt.billed))
        assert.ok(Buffer.byteLength(JSON.stringify(settlement.attempts)) < 1500)
      },
    ),
  )
})

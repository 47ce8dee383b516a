import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CreditsReply } from '@ascribe/contract/reads'
import { creditsNote, planWords } from './plan-words.ts'

const NOW = Date.parse('2026-11-22T14:05:00Z')
const ON_DEMAND = { plan: 'on-demand', blocked: false } as const
const BLOCK = {
  id: 'a',
  kind: 'promotional',
  state: 'active',
  amount: '100',
  balance: '100',
  remaining: '100',
  priority: 1,
  effectiveFrom: '2026-09-01T00:00:00Z',
  note: 'Welcome',
} as const

function credits(change: Partial<CreditsReply>, burnDown: Partial<CreditsReply['burnDown']> = {}): CreditsReply {
  return {
    currency: 'USD',
    data: [BLOCK],
    entries: [],
    burnDown: { balance: '100', notInvoiced: '40', left: '60', dailyAverage: '2', emptyOn: '2026-12-22', ...burnDown },
    ...change,
  }
}
const GONE = { balance: '0', left: '0', emptyOn: '2026-11-22' } as const

const texts = (facts: Partial<Parameters<typeof planWords>[0]>): readonly string[] =>
  planWords({ organization: ON_DEMAND, credits: undefined, isThisMonth: true, now: NOW, ...facts }).map(({ text }) => text)

test('planWords() says that credits cover this month, how much is left, and until when', () => {
  assert.deepEqual(texts({ credits: credits({}) }), ['Covered by credits: $60.00 left, runs out about 22 Dec 2026.'])
  assert.deepEqual(texts({ credits: credits({}, { emptyOn: undefined }) }), ['Covered by credits: $60.00 left.'])
  assert.deepEqual(texts({ credits: credits({}), isThisMonth: false }), [])
  assert.deepEqual(texts({ credits: credits({}, { notInvoiced: '0', left: '100' }) }), [])
  assert.deepEqual(texts({ credits: credits({ data: [] }, { balance: '0', notInvoiced: '0', left: '0' }) }), [])
})

test('planWords() says that credits expired, or are used up, for two months and no longer', () => {
  const expired = (at: string) => credits({ data: [{ ...BLOCK, state: 'expired', balance: '0', expiresAt: at }] }, GONE)
  assert.deepEqual(texts({ credits: expired('2026-11-20T00:00:00Z') }), ['$100.00 of credits expired on 20 Nov 2026.'])
  assert.deepEqual(texts({ credits: expired('2026-07-01T00:00:00Z') }), [])
  const drawn = (at: string) =>
    credits(
      {
        data: [{ ...BLOCK, state: 'spent', balance: '0', remaining: '0' }],
        entries: [{ block: 'a', kind: 'draw', amount: '-100', balanceAfter: '0', at, reason: 'invoice' }],
      },
      GONE,
    )
  const USED_UP = 'Credits are used up: what they do not cover is billed.'
  assert.deepEqual(texts({ credits: drawn('2026-11-02T00:00:00Z') }), [USED_UP])
  assert.deepEqual(texts({ credits: drawn('2026-07-02T00:00:00Z') }), [])
  assert.deepEqual(texts({ credits: credits({}, { notInvoiced: '120', left: '0' }) }), [USED_UP])
})

test('planWords() says that a trial lasts or has ended, once, whether the plan or only its credits know', () => {
  const trial = { ...BLOCK, kind: 'trial' } as const
  assert.deepEqual(texts({ organization: { plan: 'evaluation', blocked: false, trialExpiresAt: '2026-12-01T00:00:00Z' } }), [
    'Trial until 1 Dec 2026: list prices, not billed.',
  ])
  const ENDED = ['Trial ended on 20 Nov 2026. Usage stays readable.']
  assert.deepEqual(texts({ organization: { plan: 'evaluation', blocked: false, trialExpiresAt: '2026-11-20T00:00:00Z' } }), ENDED)
  const over = credits({ data: [{ ...trial, state: 'expired', balance: '0', expiresAt: '2026-11-20T00:00:00Z' }] }, GONE)
  assert.deepEqual(texts({ credits: over }), ENDED)
  assert.deepEqual(texts({ credits: over, organization: { plan: 'capacity', blocked: false } }), [])
  assert.deepEqual(texts({ organization: { ...ON_DEMAND, blocked: true }, credits: over }), [
    'This organization has ended: its keys let nobody in. Usage stays readable.',
  ])
})

test('creditsNote() never foresees an end of what is gone', () => {
  assert.equal(creditsNote(credits({}, GONE)), 'used up')
  assert.equal(creditsNote(credits({})), 'runs out about 22 Dec 2026')
  assert.equal(creditsNote(credits({}, { emptyOn: undefined })), 'no end in sight at this rate')
  const expired = { ...BLOCK, state: 'expired', expiresAt: '2026-11-20T00:00:00Z' } as const
  assert.equal(creditsNote(credits({ data: [expired] }, GONE)), '$100.00 expired on 20 Nov 2026')
})

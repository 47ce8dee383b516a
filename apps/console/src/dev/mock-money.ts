import type { CreditsReply, InvoiceJson } from '@ascribe/contract/reads'
import type { MockInput, Mocks } from './mocks.ts'
import { CURRENCY, HOUR_MS, KEYS, MODELS, ORGANIZATION, instantText } from './sample.ts'

const HASH = '0f'.repeat(32)

/** The months before this one, the newest first. */
function monthsBefore(now: number, count: number): readonly string[] {
  const at = new Date(now)
  return Array.from({ length: count }, (_, index) =>
    new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() - 1 - index, 1)).toISOString().slice(0, 7),
  )
}

function invoices({ now, state }: MockInput): readonly InvoiceJson[] {
  if (state === 'new') return []
  return monthsBefore(now, 6).map((month, index) => {
    const total =
      state === 'long-names' ? '123456789012.34' : (['28411.07', '22874.40', '19003.12', '0.01', '1204.00', '88.10'][index] ?? '1')
    return {
      id: `${ORGANIZATION.slice(0, -1)}${index}`,
      number: month,
      issuedAt: `${month}-28T00:00:00.000Z`,
      dueAt: `${month}-28T23:00:00.000Z`,
      month,
      state: index === 0 ? 'issued' : 'paid',
      currency: CURRENCY,
      createdAt: `${month}-28T00:00:00.000Z`,
      ...(index > 0 && { paidAt: `${month}-28T12:00:00.000Z` }),
      subtotal: total,
      credits: '0',
      tax: '0',
      rounding: '0',
      total,
      credited: '0',
      amountDue: index === 0 ? total : '0',
      lines: 3,
      sha256: HASH,
    }
  })
}

function creditsOf({ now, state }: MockInput): CreditsReply {
  const at = (days: number): string => instantText(now + days * 24 * HOUR_MS)
  const block = {
    id: ORGANIZATION,
    kind: 'promotional',
    state: 'active',
    amount: '50000',
    balance: '36886.86',
    remaining: '36886.86',
    priority: 1,
    effectiveFrom: at(-60),
    expiresAt: at(60),
    note: 'Welcome',
  } as const
  const none = { balance: '0', notInvoiced: '32676.31', left: '0', dailyAverage: '1052.63' }
  switch (state) {
    case 'new':
      return { currency: CURRENCY, data: [], entries: [], burnDown: { ...none, notInvoiced: '0', dailyAverage: '0' } }
    case 'credits-used':
      return {
        currency: CURRENCY,
        data: [{ ...block, state: 'spent', balance: '0', remaining: '0' }],
        entries: [{ block: block.id, kind: 'draw', amount: '-50000', balanceAfter: '0', at: at(-20), reason: 'invoice' }],
        burnDown: { ...none, emptyOn: at(0).slice(0, 10) },
      }
    case 'credits-expired':
      return {
        currency: CURRENCY,
        data: [{ ...block, state: 'expired', balance: '0', remaining: '1204.5', expiresAt: at(-5) }],
        entries: [{ block: block.id, kind: 'expire', amount: '-1204.5', balanceAfter: '0', at: at(-5), reason: 'expired' }],
        burnDown: { ...none, emptyOn: at(0).slice(0, 10) },
      }
    default:
      return {
        currency: CURRENCY,
        data: [block],
        entries: [],
        burnDown: { ...none, balance: '36886.86', left: '4210.55', emptyOn: at(4).slice(0, 10) },
      }
  }
}

/** What is owed, what was paid, and what is left. */
export const moneyMocks: Mocks = {
  listInvoices: (input) => ({ data: invoices(input) }),
  getInvoice: (input) => {
    const found = invoices(input).find(({ id }) => id === input.params['invoice']) ?? invoices({ ...input, state: 'normal' })[0]
    if (found === undefined) throw new Error('the sample has invoices')
    return {
      ...found,
      lineItems: MODELS.slice(0, 3).map((model, index) => ({
        line: index + 1,
        kind: 'usage',
        model,
        apiKey: KEYS[0].id,
        meter: 'input_tokens',
        quantity: '812400000',
        rate: '0.00000015',
        amount: '121.86',
      })),
      creditsDrawn: [{ kind: 'promotional', note: 'Welcome', amount: '1200.00' }],
      taxes: [{ name: 'VAT', ratePercent: '8.1', base: '100', amount: '8.10' }],
      creditNotes: [],
    }
  },
  listStatements: ({ now, state }) => ({
    data:
      state === 'new'
        ? []
        : [
            { month: instantText(now).slice(0, 7), currency: CURRENCY, provisional: true, total: '24040.618273645' },
            ...monthsBefore(now, 6).map((month) => ({ month, currency: CURRENCY, provisional: false, total: '28411.07' })),
          ],
  }),
  getStatement: ({ now, state, query }) => ({
    organization_id: ORGANIZATION,
    month: query.get('month') ?? instantText(now).slice(0, 7),
    currency: CURRENCY,
    provisional: true,
    total: state === 'new' ? '0' : '365.58',
    lines:
      state === 'new'
        ? []
        : MODELS.slice(0, 3).map((model) => ({
            kind: 'usage' as const,
            model,
            auth_id: KEYS[0].id,
            meter: 'input_tokens',
            quantity: 812_400_000,
            rate: '0.00000015',
            amount: '121.86',
          })),
    held: { unpriced: state === 'held' ? 1204 : 0, unattributed: 0, unknown: 0 },
  }),
  listCredits: creditsOf,
  listBudgets: ({ now, state }) => ({
    data:
      state === 'new'
        ? []
        : [
            {
              id: ORGANIZATION,
              isOwn: true,
              scope: 'organization',
              subject: ORGANIZATION,
              unit: CURRENCY,
              period: 'month',
              name: 'All of it',
              limit: '30000',
              from: instantText(now - 90 * 24 * HOUR_MS),
              thresholds: [50, 80, 100],
              webhookHost: 'hooks.demo.example',
              windowStart: `${instantText(now).slice(0, 7)}-01T00:00:00.000Z`,
              windowEnd: instantText(now + 8 * 24 * HOUR_MS),
              standings: [{ subject: ORGANIZATION, spent: '24040.62', reserved: '0', left: '5959.38' }],
            },
          ],
  }),
  listCharges: () => ({ data: [] }),
  listRecords: ({ now, state }) => ({
    data: state === 'new' ? [] : Array.from({ length: 30 }, (_, index) => recordOf(now, index)),
  }),
  getRecord: ({ now }) => recordOf(now, 0),
}

function recordOf(now: number, index: number) {
  const at = now - index * 47_000
  const isEstimated = index % 7 === 3
  return {
    event: {
      event_id: `018f4d5e-7b6a-7c3d-8e9f-0a1b2c3d${String(index).padStart(4, '0')}`,
      request_id: `req-${index}`,
      auth_id: KEYS[0].id,
      resource_id: MODELS[0],
      organization_id: ORGANIZATION,
      model: MODELS[0],
      prompt_tokens: 1204,
      cached_tokens: 0,
      completion_tokens: 310,
      outcome: 'completed' as const,
      provenance: isEstimated ? ('estimated' as const) : ('reported' as const),
      meters: { input_tokens: 1204, output_tokens: 310 },
      aborted: false,
      timestamp_unix_ms: at + 900,
      started_unix_ms: at,
    },
    state: 'charged' as const,
    currency: CURRENCY,
    charges: [
      {
        meter: 'input_tokens',
        quantity: '1204',
        amount: '0.0001806',
        price: { version: 7, entry: MODELS[0], own: false, rate: '0.00000015' },
      },
      {
        meter: 'output_tokens',
        quantity: '310',
        amount: '0.0000465',
        price: { version: 7, entry: MODELS[0], own: false, rate: '0.00000015' },
      },
    ],
  }
}

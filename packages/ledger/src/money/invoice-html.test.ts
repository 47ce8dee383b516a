import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { escapeHtml } from './escape-html.ts'
import { buildInvoice } from './invoice-content.ts'
import type { ContentInput } from './invoice-content.ts'
import { renderCreditNoteHtml, renderInvoiceHtml } from './invoice-html.ts'

const MARCH = { start: Date.UTC(2026, 2, 1), end: Date.UTC(2026, 3, 1) }
const party = { legalName: 'Seller & Sons', address: 'Street 1\n10115 Berlin', country: 'DE', taxId: 'DE1', email: 'bills@example.com' }

function input(fields: Partial<ContentInput> = {}): ContentInput {
  return {
    organization: { id: 'b7a9d0f2-3d7c-4f7e-9a41-0d8a8f6f1c01', name: 'Acme' },
    month: '2026-03',
    period: MARCH,
    currency: 'EUR',
    provisional: false,
    lines: [
      { kind: 'usage', model: 'small', auth_id: 'key-1', meter: 'input_tokens', quantity: 1_234_567, rate: '0.000001', amount: '1.234567' },
    ],
    draws: [],
    taxes: [],
    seller: party,
    customer: { ...party, legalName: 'Acme Ltd' },
    issue: { number: 'INV-000001', issuedAt: MARCH.end, dueAt: MARCH.end },
    ...fields,
  }
}

test('renderInvoiceHtml() shows lines, parties, totals and the difference of rounding', () => {
  const html = renderInvoiceHtml(buildInvoice(input()).content)
  for (const text of [
    'Invoice INV-000001',
    'Seller &amp; Sons',
    'Acme Ltd',
    '1234567',
    '0.000001',
    '1.234567',
    '1.23',
    '-0.004567',
    '2026-03-01 to 2026-03-31',
  ])
    assert.ok(html.includes(text), text)
})

test('renderInvoiceHtml() never calls what goes back to credits a credit to the customer', () => {
  const draw = { blockId: 'b7a9d0f2-3d7c-4f7e-9a41-0d8a8f6f1c02', kind: 'trial', note: '', expiresAt: undefined }
  const drawn = renderInvoiceHtml(buildInvoice(input({ draws: [{ ...draw, amount: 1_000_000_000n }] })).content)
  const given = renderInvoiceHtml(buildInvoice(input({ draws: [{ ...draw, amount: -1_000_000_000n }] })).content)
  assert.match(drawn, />Credit, trial</)
  assert.match(given, />Back to credit, trial</)
})

test('renderInvoiceHtml() needs nothing from outside and runs nothing', () => {
  const html = renderInvoiceHtml(buildInvoice(input()).content)
  assert.doesNotMatch(html, /<script|<link|<img|<iframe|\bsrc=|\bhref=|url\(|@import|https?:/i)
  assert.match(html, /Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/)
})

test('renderInvoiceHtml() prints on A4 or Letter, repeats the head of the table and cuts no row', () => {
  const { content } = buildInvoice(input())
  assert.match(renderInvoiceHtml(content), /@page \{ size: A4;/)
  assert.match(renderInvoiceHtml(content, { paper: 'letter' }), /@page \{ size: letter;/)
  assert.match(renderInvoiceHtml(content), /table-header-group/)
  assert.match(renderInvoiceHtml(content), /break-inside: avoid/)
})

test('renderInvoiceHtml() can be listened to: language, one main heading, captions, header cells with a scope', () => {
  const html = renderInvoiceHtml(buildInvoice(input()).content)
  assert.match(html, /<html lang="en">/)
  assert.equal(html.match(/<h1>/g)?.length, 1)
  assert.equal(html.match(/<caption>/g)?.length, 2)
  assert.equal(html.match(/<th(?! scope=|ead)/g), null)
  assert.match(html, /<main>/)
})

test('renderInvoiceHtml() says what a draft, a paid and a void invoice are', () => {
  const { issue: _, ...draft } = input()
  assert.match(renderInvoiceHtml(buildInvoice({ ...draft, provisional: true }).content), /DRAFT[\s\S]*this draft may change/)
  assert.match(renderInvoiceHtml(buildInvoice(input()).content, { state: 'void' }), />VOID</)
  assert.match(renderInvoiceHtml(buildInvoice(input()).content, { state: 'paid' }), />PAID</)
})

test('escapeHtml() lets no text become markup or turn the direction of writing', () => {
  assert.equal(escapeHtml(`<b a="x" b='y'>&`), '&lt;b a=&quot;x&quot; b=&#39;y&#39;&gt;&amp;')
  assert.equal(escapeHtml('a\u202eb\0c\nd'), 'a\ufffdb\ufffdc d')
  fc.assert(fc.property(fc.string({ unit: 'binary-ascii' }), (text) => !/[<>"'\0]/.test(escapeHtml(text))))
})

test('renderInvoiceHtml() escapes whatever comes from outside, wherever it stands', () => {
  const evil = `<script>alert("x")</script>'"><img src=x>`
  const names = { legalName: evil, address: evil, country: '', taxId: evil, email: evil }
  const { content } = buildInvoice(
    input({
      seller: names,
      customer: names,
      lines: [
        { kind: 'usage', model: evil, auth_id: evil, meter: evil, quantity: 1, rate: '1', amount: '1' },
        { kind: 'minimum', model: '', auth_id: '', meter: '', quantity: 1, rate: '1', amount: '1', description: evil },
      ],
      draws: [{ blockId: 'b', amount: 1n, kind: 'trial', note: evil, expiresAt: undefined }],
      taxes: [
        {
          id: 1n,
          name: evil,
          ratePercent: '19',
          organizationId: undefined,
          country: undefined,
          note: evil,
          effectiveFrom: '',
          effectiveUntil: undefined,
        },
      ],
    }),
  )
  const html = renderInvoiceHtml({ ...content, number: evil })
  assert.doesNotMatch(html, /<script|<img/)
  assert.equal(html.match(/&lt;script&gt;/g)?.length, 19)
})

test('renderCreditNoteHtml() names the invoice, the reason and what is credited', () => {
  const { content } = buildInvoice(input())
  const html = renderCreditNoteHtml({
    ...content,
    number: 'CN-000001',
    issued_at: '2026-04-05T00:00:00Z',
    invoice: 'INV-000001',
    reason: 'an <outage>',
    lines: [{ line: 1, amount: '1', what: 'small · input_tokens' }],
    net: '1',
    taxes: [],
    tax_total: '0',
    rounding: '0',
    total: '1',
  })
  for (const text of ['Credit note CN-000001', 'INV-000001', 'an &lt;outage&gt;', '1.00', 'small · input_tokens'])
    assert.ok(html.includes(text), text)
})

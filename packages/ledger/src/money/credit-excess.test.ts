import assert from 'node:assert/strict'
import { test } from 'node:test'
import { creditExcess } from './credit-excess.ts'
import type { BilledMonth } from './credit-excess.ts'

const billed = (
  month: string,
  fields: Partial<Omit<BilledMonth, 'corrections'>> & { readonly corrects?: Record<string, bigint> },
): BilledMonth => {
  const { corrects = {}, ...rest } = fields
  return { month, own: 0n, drawn: 0n, returned: 0n, ...rest, corrections: new Map(Object.entries(corrects)) }
}

test('creditExcess() is what credits paid of what is taken back, the money of the customer first', () => {
  const march = billed('03', { own: 150n, drawn: 100n })
  assert.deepEqual(creditExcess([march, billed('04', { corrects: { '03': -50n } })]), [])
  assert.deepEqual(creditExcess([march, billed('04', { corrects: { '03': -60n } })]), [{ month: '03', amount: 10n }])
  assert.deepEqual(creditExcess([march, billed('04', { corrects: { '03': -150n } })]), [{ month: '03', amount: 100n }])
})

test('creditExcess() takes what came late and is voided off the invoice that billed it', () => {
  // January was paid in money; what came late for it was paid by credits, in March.
  const months = [billed('01', { own: 100n }), billed('03', { corrects: { '01': 10n }, drawn: 10n })]
  assert.deepEqual(creditExcess([...months, billed('04', { corrects: { '01': -10n } })]), [{ month: '03', amount: 10n }])
  assert.deepEqual(creditExcess([...months, billed('04', { corrects: { '01': -30n } })]), [{ month: '03', amount: 10n }])
})

test('creditExcess() counts what was given back, or has paid for new usage, once', () => {
  const march = billed('03', { own: 100n, drawn: 100n })
  // 30 of the 100 that are taken back pay for April, 70 go back; in June some of April is taken back.
  const april = billed('04', { own: 30n, corrects: { '03': -100n }, returned: 70n })
  assert.deepEqual(creditExcess([march, april, billed('05', {})]), [])
  assert.deepEqual(creditExcess([march, april, billed('06', { corrects: { '04': -20n } })]), [{ month: '04', amount: 20n }])
  // May was paid in money, and goes back as money.
  assert.deepEqual(creditExcess([march, april, billed('05', { own: 40n }), billed('06', { corrects: { '05': -40n } })]), [])
})

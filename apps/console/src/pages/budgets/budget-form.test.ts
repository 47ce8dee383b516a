import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exactOf, formatBudgetAmount, usedOf } from '../amounts.ts'
import { budgetBody, checkBudget, parseThresholds } from './budget-form.ts'
import type { BudgetDraft } from './budget-form.ts'

const DRAFT: BudgetDraft = {
  name: '',
  scope: 'organization',
  subject: '',
  unit: 'USD',
  period: 'month',
  limit: '250',
  thresholds: '80, 50 100%',
  webhookUrl: '',
}

test('parseThresholds() takes per cents however they are parted, in order and each once', () => {
  assert.deepEqual(parseThresholds('80, 50 100% 80'), [50, 80, 100])
  assert.deepEqual(parseThresholds(''), [])
  for (const text of ['0', '1001', '5.5', 'half', '-1']) assert.equal(parseThresholds(text), undefined, text)
})

test('checkBudget() names each field that is wrong', () => {
  const fields = (draft: Partial<BudgetDraft>): readonly string[] => checkBudget({ ...DRAFT, ...draft }).map(({ field }) => field)
  assert.deepEqual(fields({}), [])
  assert.deepEqual(fields({ scope: 'credential' }), ['subject'])
  assert.deepEqual(fields({ limit: '0', thresholds: 'x', webhookUrl: 'http://a.example' }), ['limit', 'thresholds', 'webhook'])
  assert.deepEqual(fields({ unit: 'tokens', limit: '1.5' }), ['limit'])
})

test('budgetBody() names a subject only where there is one, and leaves out what is empty', () => {
  assert.deepEqual(budgetBody(DRAFT), { scope: 'organization', unit: 'USD', period: 'month', limit: '250', thresholds: [50, 80, 100] })
  const body = budgetBody({ ...DRAFT, scope: 'group', subject: 'g', name: ' team ', webhookUrl: ' https://a.example/h ' })
  assert.deepEqual([body.subject, body.name, body.webhookUrl], ['g', 'team', 'https://a.example/h'])
})

test('usedOf() and formatBudgetAmount() are exact for amounts of any size, and a limit of nothing divides nothing', () => {
  assert.deepEqual(usedOf('62.5', '100'), { text: '62.5\u00a0%', ratio: 0.625 })
  assert.equal(usedOf('0', '0').text, '–')
  assert.equal(usedOf('1', '0').text, 'over')
  assert.equal(exactOf('123456789012345678901'), 123_456_789_012_345_678_901n * 10n ** 18n)
  assert.equal(exactOf('1,5'), undefined)
  assert.equal(formatBudgetAmount('250', 'USD'), '$250.00')
  assert.equal(formatBudgetAmount('0.000000123', 'USD'), '$0.000000123')
  assert.equal(formatBudgetAmount('50000', 'tokens'), '50,000 tokens')
})

import type { OwnBudget } from '@ascribe/contract/writes'
import type { FormErrors } from '../../ui/Form.tsx'
import { isAmount } from '../keys/new-key.ts'

/** A form as it is being filled in. */
export type BudgetDraft = {
  readonly name: string
  readonly scope: 'organization' | 'group' | 'credential'
  readonly subject: string
  readonly unit: string
  readonly period: 'day' | 'month'
  readonly limit: string
  /** Per cent, with commas: `50, 80, 100`. */
  readonly thresholds: string
  readonly webhookUrl: string
}

const THRESHOLDS_MAX = 20
const PERCENT_MAX = 1000

/** The thresholds of a form; `undefined`: it holds something else than whole per cents. */
export function parseThresholds(text: string): readonly number[] | undefined {
  const parts = text.split(/[\s,;%]+/).filter((part) => part !== '')
  const numbers = parts.map(Number)
  const isFine = parts.every((part) => /^\d{1,4}$/.test(part)) && numbers.every((each) => each >= 1 && each <= PERCENT_MAX)
  return isFine && numbers.length <= THRESHOLDS_MAX ? [...new Set(numbers)].toSorted((a, b) => a - b) : undefined
}

/** What is wrong with the form, in the order of its fields. */
export function checkBudget(draft: BudgetDraft): FormErrors {
  const errors: { field: string; message: string }[] = []
  const add = (field: string, message: string): void => void errors.push({ field, message })
  if (draft.scope !== 'organization' && draft.subject === '') add('subject', `Choose a ${draft.scope === 'group' ? 'group' : 'key'}.`)
  const limit = draft.limit.trim()
  if (!isAmount(limit)) add('limit', 'Write the limit as a number above 0, such as 250 or 99.50.')
  else if (draft.unit === 'tokens' && !/^\d+$/.test(limit)) add('limit', 'Tokens are whole.')
  const thresholds = parseThresholds(draft.thresholds)
  if (thresholds === undefined) add('thresholds', 'Write thresholds as whole per cents from 1 to 1000, such as 50, 80, 100.')
  const url = draft.webhookUrl.trim()
  if (url !== '' && !isHttps(url)) add('webhook', 'The webhook has to be an https address.')
  return errors
}

function isHttps(text: string): boolean {
  return URL.canParse(text) && new URL(text).protocol === 'https:'
}

/** The form as the API takes it. What is empty is left as it is. */
export function budgetBody(draft: BudgetDraft): OwnBudget {
  const { scope, subject, unit, period } = draft
  const [name, webhookUrl] = [draft.name.trim(), draft.webhookUrl.trim()]
  return {
    scope,
    ...(scope !== 'organization' && { subject }),
    unit,
    period,
    limit: draft.limit.trim(),
    thresholds: parseThresholds(draft.thresholds) ?? [],
    ...(name !== '' && { name }),
    ...(webhookUrl !== '' && { webhookUrl }),
  }
}

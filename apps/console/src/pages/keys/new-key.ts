import type { NewKey } from '@ascribe/contract/writes'
import { parseDay } from '../../format/dates.ts'
import type { FormErrors } from '../../ui/Form.tsx'
import { exactOf } from '../amounts.ts'

/** A form as it is being filled in. */
export type NewKeyDraft = {
  readonly name: string
  readonly inference: boolean
  readonly billing: boolean
  readonly user: string
  readonly group: string
  /** A UTC day, or empty. */
  readonly expires: string
  /** An amount of the organization's currency, or empty. */
  readonly budget: string
}

export const EMPTY_KEY: NewKeyDraft = { name: '', inference: true, billing: false, user: '', group: '', expires: '', budget: '' }

const DAY_MS = 86_400_000

/** What is wrong with the form, in the order of its fields. */
export function checkNewKey({ name, inference, billing, expires, budget }: NewKeyDraft, now: number): FormErrors {
  const errors: { field: string; message: string }[] = []
  const add = (field: string, message: string): void => void errors.push({ field, message })
  if (name.trim() === '') add('name', 'Give the key a name.')
  if (!inference && !billing) add('scopes', 'Choose at least one thing that the key may do.')
  const end = expires.trim() === '' ? undefined : parseDay(expires.trim())
  if (expires.trim() !== '' && end === undefined) add('expires', 'Write the day as YYYY-MM-DD.')
  else if (end !== undefined && end + DAY_MS <= now) add('expires', 'This day is over.')
  if (budget.trim() !== '' && !isAmount(budget.trim())) add('budget', 'Write the budget as a number, such as 250 or 99.50.')
  return errors
}

/** An amount above nothing, as the API takes it. */
export function isAmount(text: string): boolean {
  return /^\d{1,20}(\.\d{1,18})?$/.test(text) && (exactOf(text) ?? 0n) > 0n
}

/** The form as the API takes it. A key works to the end of its last day. */
export function newKeyBody({ name, inference, billing, user, group, expires }: NewKeyDraft): NewKey {
  const end = parseDay(expires.trim())
  return {
    name: name.trim(),
    scopes: [...(inference ? (['inference'] as const) : []), ...(billing ? (['billing:read'] as const) : [])],
    ...(user !== '' && { userId: user }),
    ...(group !== '' && { groupId: group }),
    ...(end !== undefined && { expiresAt: new Date(end + DAY_MS).toISOString() }),
  }
}

import type { CreditsReply, OrganizationJson } from '@ascribe/contract/reads'
import { formatDay } from '../format/dates.ts'
import { formatMoneyShort, nanoOf } from '../format/money.ts'

/** What has ended is told for so long: until the first month without it has been paid. */
const TOLD_MS = 62 * 86_400_000

type Facts = {
  readonly organization: Pick<OrganizationJson, 'plan' | 'trialExpiresAt' | 'blocked'>
  readonly credits: CreditsReply | undefined
  /** The range is of this month, and of all that the organization pays for. */
  readonly isThisMonth: boolean
  readonly now: number
}

/** `note`: a sentence; others are set apart. */
export type PlanWord = { readonly kind: 'note' | 'info' | 'warning'; readonly text: string }

/** How an organization stands, where that changes what its numbers mean: one sentence for each thing that is so. */
export function planWords({ organization, credits, isThisMonth, now }: Facts): readonly PlanWord[] {
  if (organization.blocked) return [{ kind: 'warning', text: 'This organization has ended: its keys let nobody in. Usage stays readable.' }]
  const isRecent = (at: string): boolean => now - Date.parse(at) <= TOLD_MS
  const trial = trialText(organization, { credits, now, isRecent })
  const covered = isThisMonth && credits !== undefined ? coveredText(credits) : undefined
  const gone = credits === undefined ? undefined : goneText(credits, isRecent)
  return [
    ...[trial, gone].filter((text) => text !== undefined).map((text) => ({ kind: 'info' as const, text })),
    ...(covered === undefined ? [] : [{ kind: 'note' as const, text: covered }]),
  ]
}

/** A trial is credits that end: one that has ended stands among them, and nowhere else. */
function trialText(
  { plan, trialExpiresAt }: Facts['organization'],
  { credits, now, isRecent }: Pick<Facts, 'credits' | 'now'> & { readonly isRecent: (at: string) => boolean },
): string | undefined {
  const ended = credits?.data.filter(({ kind, state }) => kind === 'trial' && state === 'expired').at(-1)?.expiresAt
  const end = trialExpiresAt ?? ended
  if (end === undefined) return undefined
  const day = formatDay(end.slice(0, 10))
  if (Date.parse(end) > now) return plan === 'evaluation' ? `Trial until ${day}: list prices, not billed.` : undefined
  // Who has paid ahead since, or pays for long already, knows.
  return plan === 'evaluation' || (plan === 'on-demand' && isRecent(end)) ? `Trial ended on ${day}. Usage stays readable.` : undefined
}

/** While credits are more than what is not invoiced yet, there is nothing to pay. */
function coveredText({ currency, burnDown: { left, notInvoiced, emptyOn } }: CreditsReply): string | undefined {
  if (nanoOf(left) === 0n || nanoOf(notInvoiced) === 0n) return undefined
  const end = emptyOn === undefined ? '' : `, runs out about ${formatDay(emptyOn)}`
  return `Covered by credits: ${formatMoneyShort(nanoOf(left), currency)} left${end}.`
}

function goneText({ currency, data, entries, burnDown }: CreditsReply, isRecent: (at: string) => boolean): string | undefined {
  if (nanoOf(burnDown.left) > 0n) return undefined
  // A trial that has ended says so itself.
  const expired = data
    .filter(({ kind, state, remaining }) => kind !== 'trial' && state === 'expired' && nanoOf(remaining) !== 0n)
    .toSorted((one, other) => ((one.expiresAt ?? '') < (other.expiresAt ?? '') ? -1 : 1))
    .at(-1)
  const drawn = entries.findLast(({ kind }) => kind === 'draw')
  if (expired?.expiresAt !== undefined && (drawn === undefined || drawn.at < expired.expiresAt)) {
    return isRecent(expired.expiresAt)
      ? `${formatMoneyShort(nanoOf(expired.remaining), currency)} of credits expired on ${formatDay(expired.expiresAt.slice(0, 10))}.`
      : undefined
  }
  // What is not invoiced yet takes what is left of them.
  const isSpent = nanoOf(burnDown.balance) > 0n ? nanoOf(burnDown.notInvoiced) > 0n : drawn !== undefined && isRecent(drawn.at)
  return isSpent ? 'Credits are used up: what they do not cover is billed.' : undefined
}

/** What stands under the amount of credits that are left. */
export function creditsNote({ currency, data, burnDown }: CreditsReply): string {
  if (nanoOf(burnDown.left) > 0n) {
    return burnDown.emptyOn === undefined ? 'no end in sight at this rate' : `runs out about ${formatDay(burnDown.emptyOn)}`
  }
  const expired = data.filter(({ state, remaining }) => state === 'expired' && nanoOf(remaining) !== 0n).at(-1)
  if (expired?.expiresAt === undefined) return 'used up'
  return `${formatMoneyShort(nanoOf(expired.remaining), currency)} expired on ${formatDay(expired.expiresAt.slice(0, 10))}`
}

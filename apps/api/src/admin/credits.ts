import { grantCredit, listGrantedCredits, voidCredit } from '@ascribe/contract/admin'
import { grantCredit as grant, listCredits, voidCredit as take } from '@ascribe/ledger/money'
import type { CreditBlock } from '@ascribe/ledger/money'
import { formatInstant, formatNano, parseNano } from '@ascribe/units'
import type { Nano } from '@ascribe/units'
import { Refusal } from '../errors.ts'
import { PlainReply, organizationRoute } from '../handler.ts'
import type { Route } from '../handler.ts'
import { authorOf, instantOf } from './by.ts'
import { linesReply } from './lines.ts'

export const creditRoutes: readonly Route[] = [
  organizationRoute(grantCredit, async ({ db, organizationId, caller, clock, note }, { body }) => {
    const { id, kind, amount, paid, from, expiresAt, priority, note: remark } = body
    const granted = await grant(db, {
      ...(id !== undefined && { id }),
      organizationId,
      amount: nanoOf(amount),
      costBasis: paid === undefined ? 0n : nanoOf(paid),
      kind,
      ...(priority !== undefined && { priority }),
      effectiveFrom: from === undefined ? clock() : instantOf(from),
      ...(expiresAt !== undefined && { expiresAt: instantOf(expiresAt) }),
      note: remark ?? '',
      by: authorOf(caller),
    })
    if (granted.outcome === 'conflict') throw new Refusal('conflict', 'Another block of credits has this id.')
    note({ credit: granted.id, amount, kind })
    return { id: granted.id, outcome: granted.outcome }
  }),
  organizationRoute(listGrantedCredits, async ({ db, organizationId, clock }) =>
    linesReply((await listCredits(db, { organizationId, at: clock() })).map(blockJson)),
  ),
  organizationRoute(voidCredit, async ({ db, organizationId, caller, clock, note }, { params, query }) => {
    const at = clock()
    const own = (await listCredits(db, { organizationId, at })).some(({ id }) => id === params.creditId.toLowerCase())
    if (!own) throw new Refusal('not_found', 'There are no such credits.')
    const taken = await take(db, { blockId: params.creditId, at, reason: query.reason, by: authorOf(caller) })
    note({ credit: params.creditId, outcome: taken.outcome })
    return new PlainReply({ status: 204 })
  }),
]

function nanoOf(text: string): Nano {
  const amount = parseNano(text)
  if (typeof amount !== 'bigint') throw new Refusal('invalid_request', 'An amount has at most nine decimal places.')
  return amount
}

function blockJson(block: CreditBlock): object {
  const { id, kind, currency, amount, balance, costBasis, priority, state, effectiveFrom, expiresAt, note, createdAt, createdBy } = block
  return {
    id,
    kind,
    currency,
    amount: formatNano(amount),
    balance: formatNano(balance),
    paid: formatNano(costBasis),
    priority,
    state,
    from: formatInstant(effectiveFrom),
    ...(expiresAt !== undefined && { expiresAt: formatInstant(expiresAt) }),
    note,
    createdAt: formatInstant(createdAt),
    createdBy,
  }
}

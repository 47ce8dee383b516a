import type { Database, Queryable } from '@ascribe/postgres'
import { hourOf } from '@ascribe/units'
import type { Currency, Instant, Nano, Quantity } from '@ascribe/units'
import { monthOfInstant, readClosedThrough } from './periods.ts'
import { createBookShelf, readDatedBooks } from './price-versions.ts'
import { ratePeriod } from './rate.ts'
import type { ChargeRow, UsageRow } from './rate-groups.ts'

/** What a meter of an organization comes to, before and after an act. `organizationId` null: usage of nobody yet. */
export type ActEffectRow = {
  readonly organizationId: string | null
  readonly name: string | null
  readonly currency: Currency | null
  readonly meter: string
  readonly quantityBefore: Quantity
  readonly quantityAfter: Quantity
  /** What is charged by the hour; what depends on a month's total shows on the statement only. */
  readonly amountBefore: Nano
  readonly amountAfter: Nano
}

export type ActEffect = {
  /** Hours that it touches. */
  readonly hours: number
  /** Those of them in closed months: what changes there is booked as adjustments in the oldest open month. */
  readonly closedHours: number
  readonly rows: readonly ActEffectRow[]
}

/** Thrown through the transaction, so that nothing of the trial stays. */
class Trial<Result> extends Error {
  readonly outcome: { readonly result: Result; readonly effect: ActEffect }
  constructor(outcome: { readonly result: Result; readonly effect: ActEffect }) {
    super('a trial that is rolled back')
    this.outcome = outcome
  }
}

/**
 * Does an act in a transaction that is rolled back, and says what it would change: quantities, and what they come to, in the hours it
 * touches. One snapshot: usage that comes in meanwhile is in neither side.
 */
export async function previewAct<Result>(
  db: Database,
  act: (tx: Queryable) => Promise<{ readonly result: Result; readonly hours: readonly Instant[] }>,
): Promise<{ readonly result: Result; readonly effect: ActEffect }> {
  try {
    return await db.transaction(
      async (tx): Promise<never> => {
        await tx.query('savepoint untouched')
        const { result, hours } = await act(tx)
        const after = await totalsOf(tx, hours)
        await tx.query('rollback to savepoint untouched')
        const before = await totalsOf(tx, hours)
        const closedThrough = (await readClosedThrough(tx)) ?? ''
        const closedHours = hours.filter((hour) => monthOfInstant(hour) <= closedThrough).length
        throw new Trial({ result, effect: { hours: hours.length, closedHours, rows: await compared(tx, before, after) } })
      },
      { isolation: 'repeatable read' },
    )
  } catch (thrown) {
    // Only this function throws one, with what `act` gave.
    if (thrown instanceof Trial) return (thrown as Trial<Result>).outcome
    throw thrown
  }
}

type Total = { quantity: bigint; amount: bigint }
type Totals = Map<string, Total>

async function totalsOf(tx: Queryable, hours: readonly Instant[]): Promise<Totals> {
  const versions = await readDatedBooks(tx)
  const books = createBookShelf()
  const totals: Totals = new Map()
  for (const hour of hours) {
    const { usage, charges } = await ratePeriod(tx, hourOf(hour), { versions, books })
    for (const row of usage) addUsage(totals, row)
    for (const row of charges) addCharge(totals, row)
  }
  return totals
}

function at(totals: Totals, organizationId: string | null, meter: string): Total {
  return totals.getOrInsertComputed(JSON.stringify([organizationId, meter]), () => ({ quantity: 0n, amount: 0n }))
}

function addUsage(totals: Totals, { state, organizationId, meters }: UsageRow): void {
  const owner = state === 'unattributed' ? null : organizationId
  for (const [meter, quantity] of Object.entries(meters)) at(totals, owner, meter).quantity += quantity
}

function addCharge(totals: Totals, { organizationId, meter, amount }: ChargeRow): void {
  at(totals, organizationId, meter).amount += amount
}

async function compared(tx: Queryable, before: Totals, after: Totals): Promise<readonly ActEffectRow[]> {
  const { rows } = await tx.query<{ organization_id: string; name: string; currency: string }>(
    'select organization_id, name, currency from organization',
  )
  const organizations = new Map(rows.map((row) => [row.organization_id, row]))
  const none: Total = { quantity: 0n, amount: 0n }
  return [...new Set([...before.keys(), ...after.keys()])]
    .toSorted()
    .map((key) => {
      // Made by at(), above.
      const [organizationId, meter] = JSON.parse(key) as [string | null, string]
      const organization = organizations.get(organizationId ?? '')
      const [was, is] = [before.get(key) ?? none, after.get(key) ?? none]
      return {
        organizationId,
        name: organization?.name ?? null,
        currency: organization?.currency ?? null,
        meter,
        quantityBefore: was.quantity,
        quantityAfter: is.quantity,
        amountBefore: was.amount,
        amountAfter: is.amount,
      }
    })
    .filter((row) => row.quantityBefore !== row.quantityAfter || row.amountBefore !== row.amountAfter)
}

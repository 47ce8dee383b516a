import type {
  DailyCostBreakdownResponse,
  DailyCostResponse,
  ReferenceAccount,
  ReferenceCluster,
  ReferenceComputePrice,
  ReferenceCost,
  ReferenceCostBucket,
  ReferenceStoragePrice,
} from '@ascribe/contract/reads'
import { daysWithCharges } from '@ascribe/ledger/views'
import type { DayCategory, DayCharge, DayWindow, FamilyMember } from '@ascribe/ledger/views'
import { formatInstant, formatNano } from '@ascribe/units'
import type { Period } from '@ascribe/units'

/*
 * The reference's two reports of days, from ours. Every row of ours is in exactly one cell of each, so that both sum to the statement.
 */

const KINDS: Readonly<Record<Exclude<DayCategory, 'usage'>, string>> = {
  tier: 'Tier',
  package: 'Package',
  included: 'Included',
  minimum: 'Minimum',
  commitment: 'Commitment',
  adjustment: 'Adjustment',
}
const STORAGE = /disk|storage/
const EGRESS = /egress/

/** What the reference calls a category: of a meter, or of what no hourly charge makes. */
export function categoryOf({ category, meter }: Pick<DayCharge, 'category' | 'meter'>): string {
  if (category !== 'usage') return KINDS[category]
  if (EGRESS.test(meter)) return 'Egress'
  return STORAGE.test(meter) ? 'Storage' : ''
}

/** Which price: its version, and what it is of. */
function priceIdOf({ priceSequence, model, meter, category }: DayCharge): string {
  return meter === '' ? `${priceSequence}:${category}` : `${priceSequence}:${model}:${meter}`
}

type Cell = {
  readonly key: Pick<ReferenceCluster, 'environment_id' | 'cluster_grouping_key' | 'category' | 'region'>
  readonly amounts: Map<string, bigint>
  usage: bigint
}

/** Dense: an entry for every day, with `accounts: []` where there was nothing. */
export function dailyBreakdown(
  window: DayWindow,
  charges: readonly DayCharge[],
  family: readonly FamilyMember[],
): DailyCostBreakdownResponse {
  const order = new Map(family.map(({ id }, index) => [id, index]))
  return {
    days: daysWithCharges(window, charges).map(({ day, charges: own }) => {
      const byAccount = [...Map.groupBy(own, ({ organizationId }) => organizationId)]
      return {
        startDate: formatInstant(day.start),
        endDate: formatInstant(day.end),
        accounts: byAccount
          .toSorted(([a], [b]) => (order.get(a) ?? 0) - (order.get(b) ?? 0))
          .map(([id, each]) => accountOf(id, family[order.get(id) ?? -1]?.name ?? '', each)),
      }
    }),
  }
}

function accountOf(id: string, name: string, charges: readonly DayCharge[]): ReferenceAccount {
  const cells = new Map<string, Cell>()
  for (const charge of charges) {
    const key = {
      environment_id: charge.resourceId,
      cluster_grouping_key: charge.authId,
      category: categoryOf(charge),
      region: charge.region,
    }
    const cell = cells.getOrInsertComputed(JSON.stringify(key), () => ({ key, amounts: new Map<string, bigint>(), usage: 0n }))
    // Of what the month's total prices the quantity stands with its use, the amount with the line of the month: neither twice.
    if (charge.category === 'usage' || charge.category === 'adjustment') cell.usage += charge.quantity
    if (charge.byMonth) continue
    const price = priceIdOf(charge)
    cell.amounts.set(price, (cell.amounts.get(price) ?? 0n) + charge.amount)
  }
  return { external_customer_id: id, name, clusters: [...cells.values()].map(clusterOf) }
}

function clusterOf({ key, amounts, usage }: Cell): ReferenceCluster {
  return {
    ...key,
    amounts: Object.fromEntries([...amounts].map(([price, amount]) => [price, formatNano(amount)])),
    // A double, as the reference has it; exact quantities are in GET /v1/organizations/{id}/usage.
    usage: Number(usage),
  }
}

/** The older report: one bucket for each day, sparse on regions. */
export function dailyCosts(window: DayWindow, charges: readonly DayCharge[]): DailyCostResponse {
  const daily = daysWithCharges(window, charges).map(({ day, charges: own }) => ({ day, own }))
  return {
    subtotal: formatNano(subtotalOf(charges)),
    total: formatNano(totalOf(charges)),
    daily: daily.map(({ day, own }) => bucketOf(day, own)),
  }
}

/** Before what is agreed on and what corrects: the reference's words are minimums and discounts. */
const AFTER_SUBTOTAL: ReadonlySet<DayCategory> = new Set<DayCategory>(['minimum', 'commitment', 'adjustment'])

function subtotalOf(charges: readonly DayCharge[]): bigint {
  return charges.reduce((sum, { category, amount }) => (AFTER_SUBTOTAL.has(category) ? sum : sum + amount), 0n)
}

function totalOf(charges: readonly DayCharge[]): bigint {
  return charges.reduce((sum, { amount }) => sum + amount, 0n)
}

function bucketOf({ start, end }: Period, charges: readonly DayCharge[]): ReferenceCostBucket {
  const isStored = ({ meter }: DayCharge): boolean => STORAGE.test(meter)
  return {
    startDate: formatInstant(start),
    endDate: formatInstant(end),
    subtotal: formatNano(subtotalOf(charges)),
    total: formatNano(totalOf(charges)),
    costs: {
      compute: costOf<ReferenceComputePrice>(
        charges.filter((charge) => !isStored(charge)),
        ({ region, model, meter, rate }, subtotal) => ({
          regionId: region,
          replicaSize: model === '' ? meter : model,
          unitAmount: rate,
          subtotal,
        }),
      ),
      storage: costOf<ReferenceStoragePrice>(charges.filter(isStored), ({ region, rate }, subtotal) => ({
        regionId: region,
        unitAmount: rate,
        subtotal,
      })),
    },
  }
}

function costOf<Price>(charges: readonly DayCharge[], priceOf: (charge: DayCharge, subtotal: string) => Price): ReferenceCost<Price> {
  const priced = charges.filter(({ category, byMonth }) => !byMonth && !AFTER_SUBTOTAL.has(category))
  const groups = Map.groupBy(priced, ({ region, model, meter, rate }) => JSON.stringify([region, model, meter, rate]))
  return {
    prices: [...groups.values()].flatMap(([first, ...others]) =>
      first === undefined ? [] : [priceOf(first, formatNano(totalOf([first, ...others])))],
    ),
    subtotal: formatNano(subtotalOf(charges)),
    total: formatNano(totalOf(charges)),
  }
}

import type { Nano } from '@ascribe/units'
import type { MonthTotal } from './month-lines.ts'
import { hourlyPrice } from './verify-hour.ts'
import type { HourRecount } from './verify-hour.ts'

/** What the hours of a month come to together: what its total prices, and what is charged by the hour. */
export type MonthRecount = {
  add(hour: HourRecount): void
  totals(): readonly MonthTotal[]
  charged(): ReadonlyMap<string, Nano>
}

export function createMonthRecount(): MonthRecount {
  const totals = new Map<string, MonthTotal>()
  const charged = new Map<string, Nano>()
  return {
    add(hour) {
      for (const { fate, meters } of hour.charged.values()) {
        const { organizationId, model, baseModel, price } = fate
        if (organizationId === null || model === null || price === undefined) continue
        for (const [meter, { quantity }] of meters) {
          const hourly = hourlyPrice(fate, meter, quantity)
          const rate = price.rates.get(meter)
          if (typeof rate === 'object' && rate.kind === 'provider') continue
          if (hourly !== undefined) {
            charged.set(organizationId, (charged.get(organizationId) ?? 0n) + hourly.amount)
            continue
          }
          const key = JSON.stringify([organizationId, model, baseModel, meter, price.sequence])
          const before = totals.get(key)?.quantity ?? 0n
          totals.set(key, { organizationId, model, baseModel, meter, priceSequence: price.sequence, quantity: before + quantity })
        }
      }
    },
    totals: () => [...totals.values()],
    charged: () => charged,
  }
}

import { addDays, dayOfInstant } from '../format/dates.ts'
import type { Day } from '../format/dates.ts'
import { useServices } from '../shell/services.tsx'

/** The UTC day that it is by the server's clock. */
export function useToday(): Day {
  return dayOfInstant(useServices().now())
}

/** The last `count` days, today among them. */
export function lastDays(today: Day, count: number): { readonly from: Day; readonly to: Day } {
  return { from: addDays(today, 1 - count), to: today }
}

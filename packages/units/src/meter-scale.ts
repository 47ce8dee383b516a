import { formatDecimal, parseDecimal } from './decimal.ts'
import type { Quantity } from './quantity.ts'
import { RATE_PLACES } from './rate.ts'
import type { Rate } from './rate.ts'

/** A meter of a model, as prices have it: the same name may count something else elsewhere. */
export type Measure = {
  readonly model: string | null | undefined
  readonly meter: string
  /** Who used it, where that is known: others may have sold something as `vm` before machines were. */
  readonly authId?: string
}

/** What users of the cloud have is used under auth ids that begin so. */
const CLOUD_PREFIX = 'cloudsigma:'

/** Whether an auth id is of a user of the cloud, so that what it uses is stated by controllers. */
export function isCloudAuthId(authId: string): boolean {
  return authId.startsWith(CLOUD_PREFIX)
}

/** What virtual machines are sold as: those in the owner's own account, which the cloud bills itself, and those in the platform's. */
const MACHINE_MODELS: ReadonlySet<string> = new Set(['vm', 'platform-vm'])

/** Their meters count in 10^-6 of the unit that the name says (ADR 0088): hours in integers, and a rate for one hour is exact. */
const MACHINE_METERS: ReadonlySet<string> = new Set(['vm_cpu_mhz_hours', 'vm_memory_mib_hours', 'vm_disk_gib_hours', 'vm_ip_hours'])
const MACHINE_SCALE = 6

/** Whether prices of `model` are prices of virtual machines. */
export function isMachineModel(model: string | null | undefined): boolean {
  return MACHINE_MODELS.has(model ?? '')
}

/** Decimal places of the integers that a meter counts in: 6 for those of virtual machines, 0 for all others. */
export function meterScale({ model, meter, authId = '' }: Measure): number {
  return isMachineModel(model) && MACHINE_METERS.has(meter) && (authId === '' || isCloudAuthId(authId)) ? MACHINE_SCALE : 0
}

/** A quantity in the unit that the name of its meter says: `1.5` of 1,500,000 where the meter counts millionths. */
export function formatMeterQuantity(measure: Measure, quantity: Quantity): string {
  return formatDecimal(quantity, meterScale(measure))
}

/** The price of one unit as the name of the meter says it, from the rate of what it counts. Quantity times rate stays the same. */
export function formatMeterRate(measure: Measure, rate: Rate): string {
  return formatDecimal(rate, RATE_PLACES - meterScale(measure))
}

/** A line of a bill, as people read it. */
export type ReadableLine = { readonly quantity: string; readonly rate: string }

/**
 * Quantity and rate of a priced line in the unit that the meter's name says. `kind`: a `package` is priced by the block, which is its own unit.
 * `rate`: decimal.
 */
export function readableLine({
  kind,
  model,
  meter,
  auth_id: authId,
  quantity,
  rate,
}: Measure & {
  readonly kind: string
  readonly auth_id?: string
  readonly quantity: number | string
  readonly rate: string
}): ReadableLine {
  const price = parseDecimal(rate, RATE_PLACES)
  const measure = { model, meter, ...(authId !== undefined && { authId }) }
  if (kind === 'package' || meterScale(measure) === 0 || typeof price === 'string') return { quantity: String(quantity), rate }
  return { quantity: formatMeterQuantity(measure, BigInt(quantity)), rate: formatMeterRate(measure, price) }
}

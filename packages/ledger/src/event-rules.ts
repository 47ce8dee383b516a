import { parseDecimal } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import type { UsageRecord } from '@ascribe/usage'
import type { CloudEvent } from './cloud-event.ts'
import { isObject, isWrittenNumber } from './exact-json.ts'

/** Where a quantity of a meter is: in the data, or a number that every event stands for. */
export type MeterRule =
  | {
      /** `$.usage.cpu`. */
      readonly path: string
      /** The meter counts in 10^-scale of what the event says: with 6, `1.5` is 1500000. 0 to 18. Default 0. */
      readonly scale?: number
      /** Whether it may be missing; of all meters at least one must be there. Default false. */
      readonly optional?: boolean
    }
  | { readonly count: number }

/** How events of one type become usage. */
export type EventRule = {
  readonly type: string
  /** What is billed: a path into the data (`$.vm`), or a text that stands for itself. */
  readonly resourceId: string
  readonly resourceType?: string
  /** What prices go by; likewise. Default: none, and prices go by nothing but the base model. */
  readonly model?: string
  /** Likewise. */
  readonly baseModel?: string
  /** Whether `subject` is an auth id (or an organization's id), or the user of whoever sends it. Default `auth_id`. */
  readonly subject: 'auth_id' | 'user'
  readonly meters: Readonly<Record<string, MeterRule>>
}

/** What an event says of usage: a record but for its key and for whose it is. */
export type EventUsage = Pick<UsageRecord, 'resourceId' | 'resourceType' | 'model' | 'baseModel' | 'meters'> & {
  readonly time: Instant
}

export type EventReading = { readonly kind: 'usage'; readonly usage: EventUsage } | { readonly kind: 'fault'; readonly reason: string }

/** Clocks of others may be ahead of ours by so much, as with Stripe's meters. */
const AHEAD_MS_MAX = 300_000
const PATH = /^\$(?:\.[A-Za-z_][A-Za-z0-9_-]*)+$/
const INTEGER = /^-?\d+$/

/** What cannot be used; thrown and caught within this file. */
class Fault extends Error {}

/** Whether a text of a rule is a path into the data, or stands for itself. */
export function isDataPath(text: string): boolean {
  return PATH.test(text)
}

/** Reads the usage of an event by the rule of its type. Pure; `now` bounds its time and stands in for one that is not said. */
export function readUsage(event: CloudEvent, rule: EventRule, now: Instant): EventReading {
  try {
    return { kind: 'usage', usage: usageOf(event, rule, now) }
  } catch (thrown) {
    if (thrown instanceof Fault) return { kind: 'fault', reason: thrown.message }
    throw thrown
  }
}

function usageOf({ time: said, data }: CloudEvent, rule: EventRule, now: Instant): EventUsage {
  const time = said ?? now
  if (time > now + AHEAD_MS_MAX) throw new Fault(`time is more than ${AHEAD_MS_MAX / 60_000} minutes in the future`)
  if (time < 0) throw new Fault('time is before 1970')
  const meters: Record<string, number> = {}
  for (const [name, meter] of Object.entries(rule.meters)) {
    const quantity = quantityOf(data, name, meter)
    if (quantity !== undefined) meters[name] = quantity
  }
  if (Object.keys(meters).length === 0) throw new Fault(`data has none of the meters ${Object.keys(rule.meters).join(', ')}`)
  const model = rule.model === undefined ? undefined : textOf(data, 'model', rule.model)
  const baseModel = rule.baseModel === undefined ? undefined : textOf(data, 'base_model', rule.baseModel)
  return {
    time,
    resourceId: textOf(data, 'resource_id', rule.resourceId),
    ...(rule.resourceType !== undefined && { resourceType: rule.resourceType }),
    ...(model !== undefined && { model }),
    ...(baseModel !== undefined && { baseModel }),
    meters,
  }
}

function quantityOf(data: unknown, name: string, meter: MeterRule): number | undefined {
  if ('count' in meter) return meter.count
  const { path, scale = 0, optional = false } = meter
  const found = at(data, path)
  if (found === undefined || found === null) {
    if (optional) return undefined
    throw new Fault(`data has no ${path}, which is meter ${name}`)
  }
  const written = typeof found === 'number' ? String(found) : isWrittenNumber(found) ? found.rawJSON : found
  if (typeof written !== 'string') throw new Fault(`${path}, which is meter ${name}, is neither a number nor a number in text`)
  const quantity = parseDecimal(written, scale)
  if (quantity === 'too_precise') {
    throw new Fault(`${path}, which is meter ${name}, has more than ${scale} decimal places; it is never rounded`)
  }
  if (typeof quantity === 'string') throw new Fault(`${path}, which is meter ${name}, is not a decimal number`)
  if (quantity < 0n) throw new Fault(`${path}, which is meter ${name}, is negative`)
  if (quantity > BigInt(Number.MAX_SAFE_INTEGER)) throw new Fault(`${path}, which is meter ${name}, is beyond 2^53 - 1 units`)
  return Number(quantity)
}

function textOf(data: unknown, name: string, source: string): string {
  if (!isDataPath(source)) return source
  const found = at(data, source)
  const written = typeof found === 'number' && INTEGER.test(String(found)) ? String(found) : found
  if (typeof written !== 'string' || written === '') throw new Fault(`data has no text at ${source}, which is the ${name}`)
  return written
}

function at(data: unknown, path: string): unknown {
  let value = data
  for (const name of path.split('.').slice(1)) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined
    value = value[name]
  }
  return value
}

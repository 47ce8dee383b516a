import { meterScale } from '@ascribe/units'
import type { Instant, Measure } from '@ascribe/units'
import type { Amount } from './budget.ts'

/** What one unit of each meter costs, in 10^-18 of a currency, as decimal digits. */
export type MeterRates = Readonly<Record<string, string>>

/** Rates of models, flat: premiums of fine-tunes are applied, and a tiered meter stands with its dearest tier. */
export type ListedRates = {
  /** By model id; fine-tunes that have a price of their own among them. */
  readonly models: Readonly<Record<string, MeterRates>>
  /** Of an `ft:` model that is not among them, by its base model. */
  readonly derived?: Readonly<Record<string, MeterRates>>
}

/** The rates of one currency from an instant on. Of an admission snapshot. */
export type PriceList = ListedRates & {
  readonly currency: string
  /** UTC epoch milliseconds; absent: from the beginning. In force until the next list of its currency. */
  readonly from?: Instant
  /** What organizations with prices of their own pay, by id: stands for the whole list. */
  readonly overrides?: Readonly<Record<string, ListedRates>>
}

/** What decides the rates of a request. */
export type PricedModel = {
  readonly model: string | undefined
  readonly baseModel: string | undefined
  readonly organizationId?: string | undefined
}

/** What was used, as it is priced. */
export type PricedUsage = PricedModel & {
  readonly meters: Iterable<readonly [meter: string, quantity: bigint]>
}

type Rates = ReadonlyMap<string, bigint>

type Listed = { readonly models: ReadonlyMap<string, Rates>; readonly derived: ReadonlyMap<string, Rates> }

type List = Listed & {
  readonly from: Instant
  readonly overrides: ReadonlyMap<string, Listed>
  /** The dearest rate of each meter. */
  readonly dearest: Rates
  /** The dearest of all, and of all that are for tokens. */
  readonly most: bigint
  readonly mostToken: bigint
}

/** The largest price that a request can come to, per token that goes in and comes out. */
export type Bounds = { readonly input: bigint; readonly output: bigint }

/**
 * What usage costs against a budget. The gateway that reserves and the settler that counts use this same table, so that what is
 * enforced is what is charged. What has no price is not free here: it costs the dearest rate that its meter has for any model, until
 * it is priced (and then it is counted again).
 */
export class PriceTable {
  readonly #lists: readonly List[]

  /** All of one currency. */
  constructor(lists: readonly PriceList[]) {
    this.#lists = lists.map(listOf).toSorted((a, b) => a.from - b.from)
  }

  /** Whether anything has a price at `at`. */
  hasPrices(at: Instant): boolean {
    return (this.#at(at)?.dearest.size ?? 0) > 0
  }

  /** Price of `usage` at its own instant, exact. 0 where nothing at all has a price. */
  cost(usage: PricedUsage, at: Instant): Amount {
    const list = this.#at(at)
    if (list === undefined) return 0n
    const rates = ratesOf(list, usage)
    let sum = 0n
    for (const [meter, quantity] of usage.meters) {
      if (quantity > 0n) sum += quantity * (rates?.get(meter) ?? unlisted(list, { model: usage.model, meter }))
    }
    return sum
  }

  /**
   * The most that a token of a request for `model` can cost at `at`: the dearest of the model's classes, for caching, audio and reasoning
   * are not known before. A model without a price takes the dearest rates there are. `undefined`: nothing has a price.
   */
  bounds(key: PricedModel, at: Instant): Bounds | undefined {
    const list = this.#at(at)
    if (list === undefined || list.dearest.size === 0) return undefined
    const own = dearestOf(ratesOf(list, key) ?? new Map())
    const any = dearestOf(list.dearest)
    return { input: own.input ?? any.input ?? list.mostToken, output: own.output ?? any.output ?? list.mostToken }
  }

  /** Whether the model that usage would be of has a price for one of `meters`. */
  lists(key: PricedModel, meters: readonly string[], at: Instant): boolean {
    const list = this.#at(at)
    const rates = list && ratesOf(list, key)
    return rates !== undefined && meters.some((meter) => rates.has(meter))
  }

  #at(at: Instant): List | undefined {
    return this.#lists.findLast((list) => list.from <= at)
  }
}

function listOf({ from = -Infinity, overrides = {}, ...own }: PriceList): List {
  const listed = listedOf(own)
  const others = new Map(Object.entries(overrides).map(([organization, rates]) => [organization.toLowerCase(), listedOf(rates)]))
  const dearest = new Map<string, bigint>()
  let most = 0n
  let mostToken = 0n
  for (const { models, derived } of [listed, ...others.values()]) {
    for (const rates of [...models.values(), ...derived.values()]) {
      for (const [meter, rate] of rates) {
        if (rate > (dearest.get(meter) ?? -1n)) dearest.set(meter, rate)
        if (rate > most) most = rate
        if (isTokenMeter(meter) && rate > mostToken) mostToken = rate
      }
    }
  }
  return { from, ...listed, overrides: others, dearest, most, mostToken: mostToken > 0n ? mostToken : most }
}

function listedOf({ models, derived = {} }: ListedRates): Listed {
  const ratesBy = (rates: Readonly<Record<string, MeterRates>>): ReadonlyMap<string, Rates> =>
    new Map(Object.entries(rates).map(([model, each]) => [model, ratesFrom(each)]))
  return { models: ratesBy(models), derived: ratesBy(derived) }
}

function ratesFrom(rates: MeterRates): Rates {
  return new Map(Object.entries(rates).map(([meter, rate]) => [meter, BigInt(rate)]))
}

/**
 * What has no price may cost as much as the dearest of its kind: nobody is to spend what was not allowed. Not so machines, which nobody admits
 * here: they count millionths of hours, and what they cost is known once somebody has said so.
 */
function unlisted(list: List, measure: Measure): bigint {
  if (meterScale(measure) > 0) return 0n
  // A picture costs as much as a thousand tokens: what has no price is dear, but of its kind.
  return list.dearest.get(measure.meter) ?? (isTokenMeter(measure.meter) ? list.mostToken : list.most)
}

/** As the price book resolves a model: by its own name, else, for a fine-tune, by its base model's. */
function ratesOf(list: List, { model, baseModel, organizationId }: PricedModel): Rates | undefined {
  if (model === undefined) return undefined
  const { models, derived } = organizationId === undefined ? list : (list.overrides.get(organizationId.toLowerCase()) ?? list)
  const own = models.get(model)
  if (own !== undefined || baseModel === undefined || !model.startsWith('ft:')) return own
  return derived.get(baseModel)
}

function dearestOf(rates: Rates): { readonly input: bigint | undefined; readonly output: bigint | undefined } {
  let input: bigint | undefined
  let output: bigint | undefined
  for (const [meter, rate] of rates) {
    if (!isTokenMeter(meter)) continue
    if (isInput(meter)) input = input === undefined || rate > input ? rate : input
    else output = output === undefined || rate > output ? rate : output
  }
  return { input, output }
}

/** What was written to a cache went in, and may be dearer than all else that does. */
function isInput(meter: string): boolean {
  return meter.includes('input') || meter.startsWith('cache_write')
}

/** Whether a meter counts tokens: all that a budget or a limit in tokens is about. */
export function isTokenMeter(meter: string): boolean {
  return meter.endsWith('_tokens')
}

import { isMap, isScalar } from 'yaml'
import type { Quantity, Rate, RatePer } from '@ascribe/units'
import { present, readCount, readRate } from './parse-decimals.ts'
import type { Tier } from './period-price.ts'
import type { MeterPrice } from './price-book.ts'
import type { Entry, Value, YamlReader } from './yaml-reader.ts'

const KEYS = ['price', 'included', 'mode', 'tiers', 'package', 'settled_by'] as const
/** More steps than any price list has. */
const TIERS_MAX = 100

/** Who bills what is priced: whoever applies the book, or the provider, who is paid by the customer. */
export type SettledBy = 'platform' | 'provider'

type ReadPrice = { readonly per: RatePer; readonly meter: string; /** Where the price does not say. */ readonly settledBy: SettledBy }
type Fields = ReadonlyMap<string, Entry>

/**
 * Reads the price of a meter: a quoted decimal, or a mapping for what depends on the total of a month: `price` with `included`; `mode`
 * and `tiers`; or `package` with the `price` of one block, which is never for `per` units. `settled_by: provider` goes with a plain `price` only: what
 * somebody else bills has no total of ours.
 */
export function readPrice(reader: YamlReader, value: Value, { per, meter, settledBy }: ReadPrice): MeterPrice | undefined {
  if (!isMap(value.node)) return settled(readRate(reader, value, per), settledBy)
  const fields = reader.entries(value, KEYS)
  if (fields === undefined) return undefined
  const includedEntry = present(fields.get('included'))
  const included = includedEntry === undefined ? 0n : readCount(reader, includedEntry)
  const shape = { reader, value, fields, per }
  const price =
    fields.has('tiers') || fields.has('mode') ? readTiered(shape) : fields.has('package') ? readPackage(shape) : readLinear(shape)
  if (included === undefined || price === undefined) return undefined
  const isPlain = price.kind === 'linear' && included === 0n
  const by = readSettledBy(reader, { entry: present(fields.get('settled_by')), otherwise: isPlain ? settledBy : 'platform', isPlain })
  if (isPlain) return settled(price.rate, by)
  return { ...price, included, pool: meter }
}

function settled(rate: Rate | undefined, by: SettledBy): MeterPrice | undefined {
  return rate === undefined || by === 'platform' ? rate : { kind: 'provider', rate }
}

function readSettledBy(
  reader: YamlReader,
  { entry, otherwise, isPlain }: { readonly entry: Entry | undefined; readonly otherwise: SettledBy; readonly isPlain: boolean },
): SettledBy {
  if (entry === undefined) return otherwise
  const word = isScalar(entry.node) ? entry.node.value : undefined
  if (word === 'platform' || (word === 'provider' && isPlain)) return word
  if (word === 'provider')
    reader.report(
      entry.place,
      `${entry.path} is provider, but the total of a month is ours`,
      'write a plain price: beside settled_by: provider',
    )
  else reader.report(entry.place, `${entry.path} ${JSON.stringify(word ?? null)} is nobody who bills`, 'write platform or provider')
  return otherwise
}

type Shape = { readonly reader: YamlReader; readonly value: Value; readonly fields: Fields; readonly per: RatePer }

function readLinear({ reader, value, fields, per }: Shape): { readonly kind: 'linear'; readonly rate: Rate } | undefined {
  const entry = present(fields.get('price'))
  if (entry === undefined) {
    reader.report(value.place, `${value.path} has no price`, 'add price:, or tiers: and mode:, or package: and price:')
    return undefined
  }
  const rate = readRate(reader, entry, per)
  return rate === undefined ? undefined : { kind: 'linear', rate }
}

function readPackage({
  reader,
  value,
  fields,
}: Shape): { readonly kind: 'package'; readonly size: Quantity; readonly price: Rate } | undefined {
  const [sizeEntry, priceEntry] = [present(fields.get('package')), present(fields.get('price'))]
  if (sizeEntry === undefined || priceEntry === undefined) {
    reader.report(
      value.place,
      `${value.path} is a package without a size or a price`,
      'add package: with the units of a block, and price: of one block',
    )
    return undefined
  }
  const [size, price] = [readCount(reader, sizeEntry), readRate(reader, priceEntry, 1)]
  return size === undefined || price === undefined ? undefined : { kind: 'package', size, price }
}

function readTiered({
  reader,
  value,
  fields,
  per,
}: Shape): { readonly kind: 'graduated' | 'volume'; readonly tiers: readonly Tier[] } | undefined {
  for (const key of ['price', 'package'] as const) {
    const entry = fields.get(key)
    if (entry !== undefined) reader.report(entry.keyPlace, `${entry.path} does not go with tiers`, `remove ${key}: each tier has its price`)
  }
  const mode = readMode(reader, value, fields.get('mode'))
  const list = present(fields.get('tiers'))
  const items = list && reader.items(list)
  if (list === undefined || items?.length === 0) {
    reader.report(value.place, `${value.path} has no tiers`, 'add tiers: with a list of { up_to: …, price: "…" }, the last without up_to')
    return undefined
  }
  if (items === undefined || mode === undefined) return undefined
  if (items.length > TIERS_MAX) reader.report(list.place, `${list.path} has more than ${TIERS_MAX} tiers`, 'write fewer')
  const tiers: Tier[] = []
  for (const [index, item] of items.slice(0, TIERS_MAX).entries()) {
    const tier = readTier(reader, { item, isLast: index === items.length - 1, before: tiers.at(-1)?.upTo ?? 0n, per })
    if (tier !== undefined) tiers.push(tier)
  }
  return { kind: mode, tiers }
}

function readMode(reader: YamlReader, value: Value, entry: Entry | undefined): 'graduated' | 'volume' | undefined {
  const word = isScalar(entry?.node) ? entry.node.value : undefined
  if (word === 'graduated' || word === 'volume') return word
  const hint = 'write mode: graduated (each unit by its own tier) or mode: volume (all units by the tier of the total)'
  if (entry === undefined) reader.report(value.place, `${value.path} has tiers but no mode`, hint)
  else reader.report(entry.place, `${entry.path} ${JSON.stringify(word ?? null)} is no way to count tiers`, hint)
  return undefined
}

type ReadTier = { readonly item: Value; readonly isLast: boolean; readonly before: Quantity; readonly per: RatePer }

function readTier(reader: YamlReader, { item, isLast, before, per }: ReadTier): Tier | undefined {
  const fields = reader.entries(item, ['up_to', 'price'])
  if (fields === undefined) return undefined
  const [bound, priceEntry] = [present(fields.get('up_to')), present(fields.get('price'))]
  const upTo = bound && readCount(reader, bound)
  if (isLast && bound !== undefined) {
    reader.report(
      bound.keyPlace,
      `${bound.path} bounds the last tier: what is above it would have no price`,
      'remove it, or add a tier without up_to',
    )
  } else if (!isLast && bound === undefined) {
    reader.report(item.place, `${item.path} has no up_to, but tiers follow it`, 'add up_to: with the last unit of the tier')
  } else if (upTo !== undefined && upTo <= before) {
    reader.report(bound?.place ?? item.place, `${item.path} ends at ${upTo}, not above the tier before it`, `write up_to above ${before}`)
  }
  if (priceEntry === undefined) {
    reader.report(item.place, `${item.path} has no price`, 'add price: with a decimal in quotes; "0" makes it free')
    return undefined
  }
  const rate = readRate(reader, priceEntry, per)
  return rate === undefined ? undefined : { upTo: isLast ? undefined : upTo, rate }
}

/**
 * Rules of FOCUS 1.2 on our files that the official validator does not run (it skips 441 of 578), or runs in floats: nullability by
 * category, exact products, formats, and what ties rows to each other. Gives what is wrong, a line each.
 */

type Row = Readonly<Record<string, string>>
type RowRule = { readonly name: string; readonly holds: (row: Row) => boolean }

const DECIMAL = /^-?[0-9]+\.[0-9]+$/
const INSTANT = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/
const PLACES = 36

/** An exact decimal as an integer of 10^-36. */
function exact(text: string): bigint {
  const [whole = '', fraction = ''] = text.replace('-', '').split('.')
  const size = BigInt(whole + fraction.padEnd(PLACES, '0'))
  return text.startsWith('-') ? 0n - size : size
}
const product = (a: string, b: string): bigint => (exact(a) * exact(b)) / 10n ** BigInt(PLACES)

const of = (row: Row, name: string): string => row[name] ?? ''
const isNull = (row: Row, name: string): boolean => of(row, name) === ''
const is = (row: Row, name: string, ...values: readonly string[]): boolean => values.includes(of(row, name))

const DECIMALS = [
  'BilledCost',
  'ConsumedQuantity',
  'ContractedCost',
  'ContractedUnitPrice',
  'EffectiveCost',
  'ListCost',
  'ListUnitPrice',
  'PricingCurrencyContractedUnitPrice',
  'PricingCurrencyEffectiveCost',
  'PricingCurrencyListUnitPrice',
  'PricingQuantity',
]
const INSTANTS = ['BillingPeriodEnd', 'BillingPeriodStart', 'ChargePeriodEnd', 'ChargePeriodStart']
const NEVER_NULL = [
  ...INSTANTS,
  'BilledCost',
  'BillingAccountId',
  'BillingAccountName',
  'BillingAccountType',
  'BillingCurrency',
  'ChargeCategory',
  'ChargeDescription',
  'ChargeFrequency',
  'ContractedCost',
  'EffectiveCost',
  'InvoiceIssuerName',
  'ListCost',
  'PricingCurrency',
  'PricingCurrencyEffectiveCost',
  'ProviderName',
  'PublisherName',
  'ServiceCategory',
  'ServiceName',
  'ServiceSubcategory',
]
const PRICED = [
  'ListUnitPrice',
  'ContractedUnitPrice',
  'PricingQuantity',
  'PricingUnit',
  'PricingCategory',
  'SkuId',
  'SkuPriceId',
  'SkuMeter',
]

const isUsage = (row: Row): boolean => is(row, 'ChargeCategory', 'Usage')
const isCorrection = (row: Row): boolean => is(row, 'ChargeClass', 'Correction')

const ROW_RULES: readonly RowRule[] = [
  {
    name: 'decimals are plain and have a fraction',
    holds: (row) => DECIMALS.every((name) => isNull(row, name) || DECIMAL.test(of(row, name))),
  },
  { name: 'instants are UTC in the extended format', holds: (row) => INSTANTS.every((name) => INSTANT.test(of(row, name))) },
  {
    name: 'what is never null is never null',
    holds: (row) => NEVER_NULL.every((name) => !isNull(row, name) && of(row, name).trim() !== ''),
  },
  { name: 'ChargeCategory is allowed', holds: (row) => is(row, 'ChargeCategory', 'Usage', 'Purchase', 'Tax', 'Credit', 'Adjustment') },
  { name: 'ChargeClass is Correction or null', holds: (row) => isNull(row, 'ChargeClass') || isCorrection(row) },
  { name: 'the charge lies in its billing period, unless it corrects an earlier one', holds: (row) => liesIn(row) },
  { name: 'usage is priced', holds: (row) => !isUsage(row) || isCorrection(row) || PRICED.every((name) => !isNull(row, name)) },
  { name: 'a tax has no price', holds: (row) => !is(row, 'ChargeCategory', 'Tax') || PRICED.every((name) => isNull(row, name)) },
  { name: 'only usage is consumed', holds: (row) => isUsage(row) || isNull(row, 'ConsumedQuantity') },
  { name: 'usage is consumed', holds: (row) => !isUsage(row) || isCorrection(row) || !isNull(row, 'ConsumedQuantity') },
  { name: 'ConsumedUnit goes with ConsumedQuantity', holds: (row) => isNull(row, 'ConsumedUnit') === isNull(row, 'ConsumedQuantity') },
  { name: 'PricingUnit goes with PricingQuantity', holds: (row) => isNull(row, 'PricingUnit') === isNull(row, 'PricingQuantity') },
  { name: 'ResourceType goes with ResourceId', holds: (row) => isNull(row, 'ResourceType') === isNull(row, 'ResourceId') },
  {
    name: 'ResourceName does not repeat ResourceId',
    holds: (row) => isNull(row, 'ResourceName') || of(row, 'ResourceName') !== of(row, 'ResourceId'),
  },
  {
    name: 'unit prices are not negative',
    holds: (row) => !['ListUnitPrice', 'ContractedUnitPrice'].some((name) => of(row, name).startsWith('-')),
  },
  { name: 'ListUnitPrice × PricingQuantity is ListCost, exactly', holds: (row) => costs(row, 'ListUnitPrice', 'ListCost') },
  {
    name: 'ContractedUnitPrice × PricingQuantity is ContractedCost, exactly',
    holds: (row) => costs(row, 'ContractedUnitPrice', 'ContractedCost'),
  },
  {
    name: 'a charge without a unit price costs what is billed',
    holds: (row) => !isNull(row, 'ListUnitPrice') || of(row, 'ListCost') === of(row, 'BilledCost'),
  },
  { name: 'nothing is paid before: EffectiveCost is BilledCost', holds: (row) => of(row, 'EffectiveCost') === of(row, 'BilledCost') },
  { name: 'a credit is negative', holds: (row) => !is(row, 'ChargeCategory', 'Credit') || of(row, 'BilledCost').startsWith('-') },
  { name: 'PricingCurrency prices are the same money', holds: (row) => sameMoney(row) },
  {
    name: 'ServiceSubcategory belongs to ServiceCategory',
    holds: (row) => is(row, 'ServiceCategory', SUBCATEGORIES[of(row, 'ServiceSubcategory')] ?? '?'),
  },
  { name: 'SkuPriceDetails is a flat JSON object', holds: (row) => isNull(row, 'SkuPriceDetails') || isFlat(of(row, 'SkuPriceDetails')) },
  {
    name: 'a purchase is not by usage',
    holds: (row) => !(is(row, 'ChargeCategory', 'Purchase') && is(row, 'ChargeFrequency', 'Usage-Based')),
  },
]

const SUBCATEGORIES: Readonly<Record<string, string>> = { 'Generative AI': 'AI and Machine Learning', 'Virtual Machines': 'Compute' }

function liesIn(row: Row): boolean {
  if (of(row, 'ChargePeriodStart') >= of(row, 'ChargePeriodEnd')) return false
  if (isCorrection(row)) return of(row, 'ChargePeriodEnd') <= of(row, 'BillingPeriodStart')
  return of(row, 'ChargePeriodStart') >= of(row, 'BillingPeriodStart') && of(row, 'ChargePeriodEnd') <= of(row, 'BillingPeriodEnd')
}

function costs(row: Row, price: string, cost: string): boolean {
  if (isNull(row, price) || isNull(row, 'PricingQuantity') || isCorrection(row)) return true
  return product(of(row, price), of(row, 'PricingQuantity')) === exact(of(row, cost))
}

function sameMoney(row: Row): boolean {
  return (
    of(row, 'PricingCurrency') === of(row, 'BillingCurrency') &&
    of(row, 'PricingCurrencyListUnitPrice') === of(row, 'ListUnitPrice') &&
    of(row, 'PricingCurrencyEffectiveCost') === of(row, 'EffectiveCost')
  )
}

function isFlat(text: string): boolean {
  const value: unknown = JSON.parse(text)
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every((each) => typeof each !== 'object')
  )
}

/** One value of `a` has one value of `b`. */
function oneToOne(rows: readonly Row[], a: string, b: string): boolean {
  const seen = new Map<string, string>()
  return rows.every((row) => isNull(row, a) || seen.getOrInsert(of(row, a), of(row, b)) === of(row, b))
}

/** What is wrong with a FOCUS file. */
export function focusFaults(header: readonly string[], rows: readonly Row[]): readonly string[] {
  const firstCustom = header.findIndex((name) => name.startsWith('x_'))
  const focus = header.slice(0, firstCustom)
  const whole: readonly (readonly [string, boolean])[] = [
    [
      'columns are in Pascal case, custom ones with x_ at the end',
      focus.every((name) => /^[A-Z][A-Za-z]+$/.test(name)) && header.slice(firstCustom).every((name) => /^x_[A-Z][A-Za-z]+$/.test(name)),
    ],
    ['no column is there twice', new Set(header).size === header.length],
    ['a SkuPriceId has one SkuId', oneToOne(rows, 'SkuPriceId', 'SkuId')],
    ['a SkuPriceId has one ListUnitPrice', oneToOne(rows, 'SkuPriceId', 'ListUnitPrice')],
    ['a SkuId has one SkuMeter', oneToOne(rows, 'SkuId', 'SkuMeter')],
    ['a ServiceName has one ServiceCategory', oneToOne(rows, 'ServiceName', 'ServiceCategory')],
    ['an InvoiceId has one BillingAccountId', oneToOne(rows, 'InvoiceId', 'BillingAccountId')],
    ['rows are all invoiced or all open', new Set(rows.map((row) => isNull(row, 'InvoiceId'))).size < 2],
  ]
  return [
    ...whole.filter(([, holds]) => !holds).map(([name]) => name),
    ...ROW_RULES.flatMap(({ name, holds }) => {
      const row = rows.find((each) => !holds(each))
      return row === undefined ? [] : [`${name}: ${JSON.stringify(row)}`]
    }),
  ]
}

/** Of the organization that mocks show. */
export const ORGANIZATION = '018f4d5e-7b6a-7c3d-8e9f-0a1b2c3d4e5f'
export const OTHER = '018f4d5e-7b6a-7c3d-8e9f-0a1b2c3d4e60'
export const CURRENCY = 'USD'

const DAY_MS = 86_400_000
export const HOUR_MS = 3_600_000

/** Every name is of the sample alone. */
export const MODELS = [
  'llama-3.3-70b',
  'qwen3-32b',
  'mistral-small',
  'gpt-oss-120b',
  'gemma-3-27b',
  'phi-4',
  'embed-large',
  'rerank-v2',
  'whisper-v3',
  'tiny-1b',
] as const
export const KEYS = [
  { id: 'f287ddd6-e25a-46ef-bbbb-454ea81ba4ec', name: 'prod-1', user: 'ada' },
  { id: '0b9c1df2-6a2e-44a1-b0b1-000000000002', name: 'ci', user: 'vic' },
  { id: '0b9c1df2-6a2e-44a1-b0b1-000000000003', name: 'notebooks', user: 'max' },
] as const
export const METERS = ['input_tokens', 'cached_input_tokens', 'output_tokens'] as const
export const REGIONS = ['zrh', 'eu-west'] as const

/** One thing that cost something on one day. Amounts are in nano-units. */
export type SampleCost = {
  readonly day: number
  readonly model: string
  readonly key: string
  readonly user: string
  readonly region: string
  readonly meter: string
  readonly nano: bigint
  readonly quantity: bigint
  /** Default: usage. */
  readonly category?: string
  /** Default: the organization's. */
  readonly currency?: string
}

/** What else there is in a state. */
export type Extra = 'currencies' | 'adjustments' | 'many'
const MANY_A_DAY = 500
const MANY = 12_000

/** On every tenth day something is taken back, more than the day cost on one of them. */
export function extraCostsOf(day: number, extra: Extra, costs: readonly SampleCost[]): readonly SampleCost[] {
  const number = day / DAY_MS
  const [first] = costs
  if (first === undefined) return []
  switch (extra) {
    case 'currencies':
      return costs.map((cost) => ({ ...cost, currency: 'EUR', nano: cost.nano / 3n, quantity: 0n }))
    case 'adjustments': {
      const adjustment = { ...first, key: '', user: '', model: '', meter: '', quantity: 0n, category: 'adjustment' }
      return number % 5 === 0 ? [{ ...adjustment, nano: -500_000_000_000n * (number % 10 === 0 ? 3n : 1n) }] : []
    }
    case 'many':
      return Array.from({ length: MANY_A_DAY }, (_, index) => {
        const at = (number * MANY_A_DAY + index) % MANY
        return { ...first, model: `tuned-${String(at).padStart(5, '0')}`, nano: BigInt(at) * 10_000n + 1n, quantity: BigInt(at + 1) }
      })
  }
}

/** The same for the same day, whatever window is asked for. */
export function costsOf(day: number, factor: bigint): readonly SampleCost[] {
  const weekday = new Date(day).getUTCDay()
  const isWeekend = weekday === 0 || weekday === 6
  return MODELS.flatMap((model, m) =>
    KEYS.flatMap(({ id: key, user }, k) =>
      METERS.map((meter, t) => {
        const noise = BigInt(((day / DAY_MS) * 31 + m * 17 + k * 7 + t * 3) % 23)
        const weight = BigInt((MODELS.length - m) * (KEYS.length - k) * (t + 1))
        const quantity = ((weight * (40n + noise) * 100_000n) / (isWeekend ? 3n : 1n)) * (factor === 0n ? 1n : factor)
        return {
          day,
          model,
          key,
          user,
          region: REGIONS[m % 2] ?? 'zrh',
          meter,
          quantity,
          nano: factor === 0n ? 0n : quantity * BigInt(40 + t * 110),
        }
      }),
    ),
  )
}

/** The days of a window, both ends in it, as instants. */
export function daysOf(from: string, to: string): readonly number[] {
  const [first, last] = [Date.parse(`${from}T00:00:00Z`), Date.parse(`${to}T00:00:00Z`)]
  if (Number.isNaN(first) || Number.isNaN(last) || last < first) return []
  return Array.from({ length: (last - first) / DAY_MS + 1 }, (_, index) => first + index * DAY_MS)
}

export const dayText = (at: number): string => new Date(at).toISOString().slice(0, 10)
export const instantText = (at: number): string => new Date(at).toISOString()

/** A decimal number as a string, so that no reader rounds it: `12`, `0.0000025`, `-3.5`. */
export type DecimalText = string

/**
 * What a line of a statement is.
 * - `usage`: hourly charges at one rate; without an `auth_id`, what exceeds an included quantity.
 * - `tier`, `package`, `included`: what a meter of a model comes to by the organization's total of the month.
 * - `minimum`, `commitment`: what is missing to an agreed amount.
 * - `adjustment`: corrects the closed month that it names.
 */
export type StatementLineKind = 'usage' | 'tier' | 'package' | 'included' | 'minimum' | 'commitment' | 'adjustment'

/** One line of a statement. */
export type StatementLine = {
  readonly kind: StatementLineKind
  /** As the engine named it; prices go by it. Empty on a minimum or a commitment. */
  readonly model: string
  /** The key or token that the usage is attributed to. Empty where the line is of the whole organization. */
  readonly auth_id: string
  /** The class of quantity, `input_tokens` for example. Classes are disjoint. Empty on a minimum or a commitment. */
  readonly meter: string
  /**
   * An integer: units, or blocks of a package. Negative where an adjustment takes back. Beyond 2^53 - 1, which JSON's readers do not keep,
   * it is text of its digits.
   */
  readonly quantity: number | string
  /** Price of one unit, or of one block. */
  readonly rate: DecimalText
  /**
   * On `usage` of a key, the sum of the hourly charges behind the line, each rounded once to nano-units; on a line of the month,
   * quantity × rate, rounded once.
   */
  readonly amount: DecimalText
  /** What a person should know of the line. */
  readonly description?: string | undefined
  /** The closed month that an adjustment corrects, `YYYY-MM`. */
  readonly corrects?: string | undefined
}

/** Usage that is set aside: counted here, charged nowhere, never zero by silence. Numbers of records. */
export type Held = { readonly unpriced: number; readonly unattributed: number; readonly unknown: number }

/** What the provider bills the organization's people itself, at list prices: in no total, and owed to nobody here. */
export type StatementMemo = {
  readonly total: DecimalText
  readonly lines: readonly StatementMemoLine[]
}
export type StatementMemoLine = {
  readonly model: string
  readonly auth_id: string
  readonly meter: string
  /** In the unit that the meter's name says, hours for example; exact. */
  readonly quantity: DecimalText
  /** List price of one such unit. */
  readonly rate: DecimalText
  readonly amount: DecimalText
}

/** What an organization is shown for a month. */
export type Statement = {
  readonly organization_id: string
  /** `YYYY-MM`, UTC. */
  readonly month: string
  /** ISO 4217. */
  readonly currency: string
  /** Whether the month is still open: lines may change until it is closed, and never after. */
  readonly provisional: boolean
  /** Exactly the sum of the amounts of all lines. */
  readonly total: DecimalText
  readonly lines: readonly StatementLine[]
  readonly held: Held
  /** Absent: the provider bills nothing. */
  readonly memo?: StatementMemo | undefined
}

/** One usage record. Fields that are empty are omitted, an unknown count is null; further fields may come. */
export type UsageEvent = {
  readonly event_id: string
  /** The client's `X-Request-Id`, else the event id. Not unique. */
  readonly request_id: string
  readonly auth_id: string
  readonly resource_id: string
  readonly organization_id?: string | undefined
  readonly model?: string | undefined
  /** The engine's total, cached tokens inside. */
  readonly prompt_tokens: number | null
  readonly cached_tokens: number | null
  /** The engine's total, reasoning inside. */
  readonly completion_tokens: number | null
  readonly outcome: 'completed' | 'aborted' | 'upstream_error' | 'upstream_reset' | 'interrupted' | 'unknown'
  readonly provenance: 'reported' | 'continuous' | 'estimated' | 'unknown'
  /** Disjoint classes; they add up to what was used. */
  readonly meters: Readonly<Record<string, number>>
  readonly aborted: boolean
  /** When the request ended. */
  readonly timestamp_unix_ms: number
  /** When the request was admitted: the instant by which it is priced. */
  readonly started_unix_ms: number
}

/** A page of usage records, oldest first. */
export type UsageEventPage = {
  readonly records: readonly UsageEvent[]
  /** Pass it as `after` for the next page; absent on the last. */
  readonly next?: string | undefined
}

export type NoParams = Readonly<Record<string, never>>
export type NoQuery = Readonly<Record<string, never>>
export type OrganizationParams = { readonly id: string }
export type StatementQuery = { readonly month: string }
/** `model` and `auth_id` narrow to a line of the statement. */
export type UsageRecordsQuery = {
  readonly month: string
  readonly model?: string | undefined
  readonly auth_id?: string | undefined
  readonly after?: string | undefined
  readonly limit: number
}

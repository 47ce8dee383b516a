/** What became of an event: it is a record now, it was one before, or the first content of its name stands and this one is set aside. */
export type EventResult = {
  readonly source: string
  readonly id: string
  readonly status: 'accepted' | 'duplicate' | 'conflicting'
  /** Of the usage record that stands. */
  readonly event_id: string
}

/** What became of a batch, in the order of its events. */
export type EventReport = {
  readonly accepted: number
  readonly duplicates: number
  readonly conflicting: number
  readonly events: readonly EventResult[]
}

/** An event as it was taken in: what was read from it, under the names of the CloudEvents that brought it. */
export type IngestedEvent = {
  readonly event: {
    readonly specversion: '1.0'
    readonly id: string
    readonly source: string
    readonly type: string
    /** The auth id that the usage is attributed to. */
    readonly subject: string
    /** RFC 3339. */
    readonly time: string
    readonly data: Readonly<Record<string, unknown>>
  }
  readonly ingestedAt: string
  readonly storedAt: string
  /** Why it counts no longer; absent: it counts. */
  readonly validationError?: string | undefined
}

export type ListEventsQuery = { readonly limit: number; readonly id?: string | undefined; readonly subject?: string | undefined }

export type WindowSize = 'HOUR' | 'DAY' | 'MONTH'

export type MeterQuery = {
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly windowSize?: WindowSize | undefined
  readonly windowTimeZone?: 'UTC' | undefined
  readonly subject?: string | readonly string[] | undefined
  readonly groupBy?: string | readonly string[] | undefined
}

export type MeterRow = {
  readonly value: number
  readonly windowStart: string
  readonly windowEnd: string
  readonly subject: string | null
  readonly groupBy: Readonly<Record<string, string | null>>
}

/** How much of a meter an organization used. Quantities, held ones too; money is on the statement. */
export type MeterQueryResult = {
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly windowSize?: WindowSize | undefined
  readonly data: readonly MeterRow[]
}

/** Column expressions or parameters of type `timestamptz` that bound the instants of what is read. */
type Bounds = { readonly start: string; readonly end: string }

/**
 * SQL that is true for the records `r` that count: neither voided nor amended nor of a backfill that was undone. Where the instants of
 * `r` are bounded, say so: then only the superseded records of that period are looked at, by index, however many there are of others.
 */
export function countedSql(bounds?: Bounds): string {
  const within = bounds === undefined ? '' : ` and s.instant >= ${bounds.start} and s.instant < ${bounds.end}`
  return `not exists (select from superseded_record s where s.event_id = r.event_id${within})`
}

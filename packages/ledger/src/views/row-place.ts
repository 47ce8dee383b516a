/** Where a page of grouped rows ended: the start, the currency and the keys of its last row. */
export type RowPlace = readonly string[]

type Placed = { readonly start: string; readonly currency?: string; readonly keys: readonly string[] }

export function placeOf(row: Placed | undefined): RowPlace | undefined {
  return row === undefined ? undefined : [row.start, row.currency ?? '', ...row.keys]
}

type AfterSql = { readonly sql: string; readonly order: string; readonly values: readonly string[] }

/**
 * SQL over rows `g` with `start`, `currency` and `k0`, `k1`, …: in which order they come, and that they come after a place; with its parameters,
 * numbered from `first`. A place of another shape is none: the page begins where it would without.
 */
export function afterSql({
  dimensions,
  after,
  first,
}: {
  readonly dimensions: number
  readonly after: RowPlace | undefined
  readonly first: number
}): AfterSql {
  const columns = ['start', 'currency', ...Array.from({ length: dimensions }, (_, index) => `k${index}`)].map(
    (column) => `g.${column} collate "C"`,
  )
  const order = columns.join(', ')
  if (after === undefined || after.length !== columns.length) return { sql: 'true', order, values: [] }
  const parameters = columns.map((_, index) => `$${first + index}::text`)
  return { sql: `(${order}) > (${parameters.join(', ')})`, order, values: after }
}

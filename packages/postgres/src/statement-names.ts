/** Names of statements that connections keep prepared: the same text has the same name on every connection of a pool. */
export type StatementNames = { nameOf(text: string): string | undefined }

/** Names for the first `max` texts; what comes after is run as it is, so that a connection never keeps more than that. */
export function createStatementNames(max: number): StatementNames {
  const names = new Map<string, string>()
  return {
    nameOf(text) {
      const known = names.get(text)
      if (known !== undefined || names.size >= max) return known
      const name = `ascribe_${names.size + 1}`
      names.set(text, name)
      return name
    },
  }
}

/**
 * What a prepared statement fails with that would not fail by itself: a table has changed under it (0A000: "cached plan must not change result
 * type"), or the connection is another one behind a pooler (26000, 42P05).
 */
const STALE: ReadonlySet<string> = new Set(['0A000', '26000', '42P05'])

export function isStale(sqlstate: string | undefined): boolean {
  return sqlstate !== undefined && STALE.has(sqlstate)
}

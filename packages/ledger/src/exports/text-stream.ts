/** Characters gathered before they are passed on: fewer, larger writes; the bound on what waits here. */
const CHUNK_CHARACTERS = 64 * 1024

/**
 * A header and one line for each row, in chunks. A row is asked for only when the chunk before has been taken, so that a slow reader
 * slows the database down and nothing piles up between them.
 */
export async function* textOf<Row>(
  rows: AsyncIterable<Row>,
  format: { readonly header: string; readonly line: (row: Row) => string },
): AsyncGenerator<string, void, undefined> {
  let chunk = format.header
  for await (const row of rows) {
    chunk += format.line(row)
    if (chunk.length < CHUNK_CHARACTERS) continue
    yield chunk
    chunk = ''
  }
  if (chunk !== '') yield chunk
}

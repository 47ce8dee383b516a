import { StreamReply } from '../handler.ts'

/** A JSON value a line, as they come. */
export function linesReply(values: AsyncIterable<object> | Iterable<object>): StreamReply {
  let rows = 0
  async function* chunks(): AsyncGenerator<string, void, undefined> {
    for await (const value of values) {
      rows += 1
      yield `${JSON.stringify(value)}\n`
    }
  }
  return new StreamReply({ contentType: 'application/x-ndjson', chunks: chunks(), rows: () => rows })
}

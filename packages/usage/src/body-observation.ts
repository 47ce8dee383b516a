import type { JsonLexer } from './json-lexer.ts'
import type { Asked, Observation } from './observation.ts'
import type { Api } from './record.ts'

/** What a JSON body has shown so far. */
export function bodyObservation({
  api,
  asked,
  lexer,
}: {
  readonly api: Api
  readonly asked: Asked
  readonly lexer: JsonLexer
}): Observation {
  return {
    api,
    form: 'json',
    asked,
    model: lexer.model,
    finishReason: lexer.finishReason,
    bytes: lexer.bytes,
    usage: lexer.usage,
    final: true,
    blocks: [],
    deltas: 0,
    contentBytes: lexer.contentBytes,
    choices: lexer.choices,
    limited: lexer.limited,
    failed: lexer.hasError && lexer.choices === 0,
    whole: lexer.closed && !lexer.broken,
  }
}

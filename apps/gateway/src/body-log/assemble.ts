/**
 * What a stream of events says, put together: text that comes in pieces can be read, and redacted. A line for each choice, block or output, in the order in
 * which they begin. `undefined`: no event is of a form that is known.
 */
export function assembled(stream: string): string | undefined {
  const parts = new Map<string, string>()
  for (const event of eventsOf(stream)) for (const [name, text] of piecesOf(event)) parts.set(name, (parts.get(name) ?? '') + text)
  if (parts.size === 0) return undefined
  return [...parts].map(([name, text]) => `${name}: ${text}`).join('\n')
}

type Fields = Readonly<Record<string, unknown>>

function* eventsOf(stream: string): Generator<Fields> {
  for (const line of stream.split(/\r\n|\r|\n/)) {
    if (!line.startsWith('data:')) continue
    try {
      const event: unknown = JSON.parse(line.slice('data:'.length))
      if (isFields(event)) yield event
    } catch {
      // `[DONE]`, or the event that was cut at the end.
    }
  }
}

function* piecesOf(event: Fields): Generator<readonly [name: string, text: string]> {
  const { choices, delta, type, index, output_index: output } = event
  if (Array.isArray(choices)) {
    for (const choice of choices.filter(isFields)) yield* textsOf(choice['delta'] ?? choice, `choice ${placeOf(choice['index'])}`)
  } else if (typeof delta === 'string') {
    // Responses, transcriptions: what the piece is stands in the type.
    yield [`${typeof type === 'string' ? type : 'delta'} ${placeOf(output)}`, delta]
  } else if (isFields(delta)) {
    yield* textsOf(delta, `block ${placeOf(index)}`)
  }
}

/** Who does not say where it belongs has one only. */
function placeOf(index: unknown): number {
  return typeof index === 'number' ? index : 0
}

const NAMES = new Set(['role', 'id', 'type', 'finish_reason', 'stop_reason', 'object'])

/** Every text in it, under its name; what only names or places the piece is left out. */
function* textsOf(value: unknown, name: string): Generator<readonly [name: string, text: string]> {
  if (typeof value === 'string') yield [name, value]
  else if (Array.isArray(value)) for (const [place, each] of value.entries()) yield* textsOf(each, `${name} ${place}`)
  else if (isFields(value))
    for (const [key, member] of Object.entries(value))
      if (!NAMES.has(key)) yield* textsOf(member, key === 'content' || key === 'text' ? name : `${name} ${key}`)
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

import { tokenTexts, wordAt } from './tokens.ts'

type Fields = Readonly<Record<string, unknown>>

/** What a reply has to look like: JSON that a schema allows, as text or as the arguments of a function. */
export type Shape = { readonly schema: unknown; /** The function that is called. Absent: it is text. */ readonly call?: string }

type Tool = { readonly name: string; readonly schema: unknown }

/** How deep an instance goes; schemas of real tools go less deep. */
const DEPTH_MAX = 16
const STRING_WORDS = 3

/**
 * What is asked of a reply in Chat Completions, Responses or Messages. A function is called where there are tools, they are not switched off,
 * and what came last is no result of one: so a client's loop comes to its end.
 */
export function shapeOf(fields: Fields): Shape | undefined {
  const tools = listOf(fields['tools']).flatMap(toolOf)
  const choice = fields['tool_choice']
  const [first] = tools
  const wanted = nameOf(choice)
  if (first !== undefined && !isNone(choice) && !endsInResult(fields)) {
    const { name, schema } = tools.find((each) => each.name === wanted) ?? first
    return { schema, call: name }
  }
  const format = [
    fields['response_format'],
    objectOf(fields['text'])['format'],
    fields['output_format'],
    objectOf(fields['output_config'])['format'],
  ]
    .map(objectOf)
    .find(({ type }) => type === 'json_schema' || type === 'json_object')
  if (format === undefined) return undefined
  return { schema: objectOf(format['json_schema'])['schema'] ?? format['schema'] ?? { type: 'object' } }
}

/** The tokens of an instance of a schema, which the seed decides. */
export function shapedPieces({ schema }: Shape, seed: number): readonly string[] {
  return tokenTexts(JSON.stringify(instanceOf(schema, seed, DEPTH_MAX)))
}

function instanceOf(schema: unknown, seed: number, depth: number): unknown {
  const { type, properties, items, enum: values, const: only, anyOf } = objectOf(schema)
  if (only !== undefined) return only
  if (Array.isArray(values) && values.length > 0) return values[seed % values.length]
  if (Array.isArray(anyOf) && anyOf.length > 0) return instanceOf(anyOf[0], seed, depth)
  switch (Array.isArray(type) ? type[0] : type) {
    case 'string':
      return Array.from({ length: STRING_WORDS }, (_, index) => wordAt(seed, index).trim()).join(' ')
    case 'integer':
    case 'number':
      return seed % 100
    case 'boolean':
      return seed % 2 === 0
    case 'array':
      return depth === 0 ? [] : [instanceOf(items, seed + 1, depth - 1)]
    case 'null':
      return null
    default:
      return depth === 0
        ? {}
        : Object.fromEntries(
            Object.entries(objectOf(properties)).map(([name, member], index) => [name, instanceOf(member, seed + index, depth - 1)]),
          )
  }
}

/** As Chat Completions, Responses and Messages write it; tools that the engine has itself are none. */
function toolOf(tool: Fields): Tool[] {
  const declared = isFields(tool['function']) ? tool['function'] : tool
  const { name, parameters, input_schema: inputSchema } = declared
  return typeof name === 'string' ? [{ name, schema: parameters ?? inputSchema }] : []
}

function nameOf(choice: unknown): unknown {
  const { name, function: called } = objectOf(choice)
  return name ?? objectOf(called)['name']
}

function isNone(choice: unknown): boolean {
  return choice === 'none' || objectOf(choice)['type'] === 'none'
}

function endsInResult({ messages, input }: Fields): boolean {
  const last = [...listOf(messages), ...listOf(input)].at(-1)
  if (last === undefined) return false
  if (last['role'] === 'tool' || last['type'] === 'function_call_output') return true
  return listOf(last['content']).some(({ type }) => type === 'tool_result')
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : []
}

function objectOf(value: unknown): Fields {
  return isFields(value) ? value : {}
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

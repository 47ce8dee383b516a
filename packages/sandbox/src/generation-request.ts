import { InputError } from '@ascribe/kit'
import { type Conversation, messagesConversation, responsesConversation } from './conversation-request.ts'
import { RefusalError } from './errors.ts'
import { type Faults, NO_FAULTS, parseFaults } from './faults.ts'
import { SANDBOX_MODELS, type SandboxModel } from './models.ts'
import { type Shape, shapeOf } from './shaped-output.ts'
import { hashText } from './tokens.ts'

export type Api = 'chat' | 'completions' | 'embeddings' | 'responses' | 'messages'

/** A request as the engine understood it. */
export type GenerationRequest = {
  readonly api: Api
  readonly model: SandboxModel
  /** What the reply calls the model. */
  readonly modelName: string
  /** One for a chat; as many as were sent for completions and embeddings. */
  readonly prompts: readonly string[]
  /** Of Responses and Messages: what the prompt is made of. */
  readonly conversation: Conversation | undefined
  /** Tokens of the chat template, which are in no prompt. */
  readonly templateTokens: number
  /** Choices of each prompt. */
  readonly n: number
  readonly maxTokens: number
  readonly seed: number
  /** vLLM's `ignore_eos`: goes on until `maxTokens`. */
  readonly ignoreEnd: boolean
  readonly stream: boolean
  readonly includeUsage: boolean
  readonly continuousUsage: boolean
  readonly base64: boolean
  /** What replies have to look like. */
  readonly shape: Shape | undefined
  readonly faults: Faults
}

type Fields = Readonly<Record<string, unknown>>

const MESSAGE_TOKENS = 4
const REPLY_TOKENS = 3
const N_MAX = 128
const PROMPTS_MAX = 2048
/** What one choice has at most when a request does not say. */
export const SANDBOX_OUTPUT_TOKENS = 256

/** Understands a body, or says what is wrong with it as OpenAI would. @throws {RefusalError} */
export function parseGenerationRequest(api: Api, body: Buffer, standing: Faults): GenerationRequest {
  const fields = parseFields(body)
  const faults = faultsOf(fields['sandbox'], standing)
  const { model, modelName } = modelOf(fields['model'], faults)
  if (model.kind === 'embedding' && api !== 'embeddings') throw new RefusalError(400, `The model \`${model.id}\` does not generate text.`)
  const conversation = conversationOf(fields, api)
  const prompts = conversation === undefined ? promptsFor(fields, api) : [conversation.text]
  const options = objectOf(fields['stream_options'])
  const stream = api !== 'embeddings' && isLaxTrue(fields['stream'])
  return {
    api,
    model,
    modelName,
    prompts,
    conversation,
    templateTokens: templateTokens(conversation?.messages ?? (api === 'chat' ? (fields['messages'] as readonly unknown[]).length : 0)),
    // llama-cpp-python ignores n.
    n: faults.style === 'python' || conversation !== undefined ? 1 : countOf(fields, 'n', { otherwise: 1, max: N_MAX }),
    maxTokens: countOf(fields, limitName(fields, api), { otherwise: SANDBOX_OUTPUT_TOKENS, max: Number.MAX_SAFE_INTEGER }),
    seed: typeof fields['seed'] === 'number' ? hashText(String(fields['seed'])) : hashText(prompts[0]?.slice(0, 4096) ?? ''),
    ignoreEnd: fields['ignore_eos'] === true,
    stream,
    includeUsage: stream && isLaxTrue(options['include_usage']),
    continuousUsage: stream && isLaxTrue(options['continuous_usage_stats']),
    shape: api === 'embeddings' || api === 'completions' ? undefined : shapeOf(fields),
    base64: fields['encoding_format'] === 'base64',
    faults,
  }
}

function conversationOf(fields: Fields, api: Api): Conversation | undefined {
  if (api === 'responses') return responsesConversation(fields)
  if (api !== 'messages') return undefined
  if (fields['max_tokens'] === undefined) throw new RefusalError(400, 'max_tokens: Field required', { param: 'max_tokens' })
  return messagesConversation(fields)
}

function promptsFor(fields: Fields, api: Api): readonly string[] {
  return api === 'chat' ? [chatText(fields['messages'])] : promptsOf(fields[api === 'embeddings' ? 'input' : 'prompt'], api)
}

function templateTokens(messages: number): number {
  return messages === 0 ? 0 : REPLY_TOKENS + MESSAGE_TOKENS * messages
}

function limitName(fields: Fields, api: Api): string {
  if (api === 'responses') return 'max_output_tokens'
  return api === 'messages' || fields['max_completion_tokens'] === undefined ? 'max_tokens' : 'max_completion_tokens'
}

function parseFields(body: Buffer): Fields {
  let parsed: unknown
  try {
    parsed = JSON.parse(body.toString())
  } catch {
    throw new RefusalError(400, 'We could not parse the JSON body of your request.')
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new RefusalError(400, 'The body must be a JSON object.')
  return parsed as Fields
}

function faultsOf(own: unknown, standing: Faults): Faults {
  if (own === undefined) return standing
  try {
    const faults = parseFaults(own)
    return standing === NO_FAULTS ? faults : { ...standing, ...faults }
  } catch (cause) {
    if (cause instanceof InputError) throw new RefusalError(400, cause.message, { param: 'sandbox' })
    throw cause
  }
}

/** vLLM knows its models. llama-server answers for every name with its own, llama-cpp-python with the name it was asked for. */
function modelOf(name: unknown, faults: Faults): { model: SandboxModel; modelName: string } {
  const model = SANDBOX_MODELS.find(({ id }) => id === name)
  if (model !== undefined) return { model, modelName: model.id }
  const [first] = SANDBOX_MODELS
  if (first !== undefined && faults.style === 'llama') return { model: first, modelName: first.id }
  if (first !== undefined && faults.style === 'python') return { model: first, modelName: typeof name === 'string' ? name : first.id }
  if (typeof name !== 'string') throw new RefusalError(400, 'you must provide a model parameter')
  throw new RefusalError(404, `The model \`${name}\` does not exist.`, { param: 'model', openaiCode: 'model_not_found' })
}

function chatText(messages: unknown): string {
  if (!Array.isArray(messages) || messages.length === 0)
    throw new RefusalError(400, "Missing required parameter: 'messages'.", { param: 'messages' })
  let text = ''
  for (const message of messages as readonly unknown[]) {
    const { role, content } = objectOf(message)
    if (typeof role !== 'string') throw new RefusalError(400, 'A message needs a role.', { param: 'messages' })
    text += `${text === '' ? '' : ' '}${contentText(content)}`
  }
  return text
}

function contentText(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content
    .map((part: unknown) => objectOf(part)['text'])
    .filter((text) => typeof text === 'string')
    .join(' ')
}

/** One text, a list of texts, one list of token numbers, or a list of such lists. */
function promptsOf(value: unknown, api: Api): readonly string[] {
  const param = api === 'embeddings' ? 'input' : 'prompt'
  const list = Array.isArray(value) && typeof value[0] !== 'number' ? (value as readonly unknown[]) : [value]
  if (value === undefined || list.length === 0) throw new RefusalError(400, `Missing required parameter: '${param}'.`, { param })
  if (list.length > PROMPTS_MAX) throw new RefusalError(400, `'${param}' may have at most ${PROMPTS_MAX} entries.`, { param })
  return list.map((entry) => {
    if (typeof entry === 'string') return entry
    if (Array.isArray(entry) && entry.every(Number.isSafeInteger)) return entry.map((token) => ` ${String(token).slice(-6)}`).join('')
    throw new RefusalError(400, `'${param}' must be a string, a list of strings or lists of tokens.`, { param })
  })
}

function countOf(fields: Fields, name: string, bounds: { otherwise: number; max: number }): number {
  const value = fields[name] ?? bounds.otherwise
  if (Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= bounds.max) return Number(value)
  throw new RefusalError(400, `'${name}' must be an integer from 1 to ${bounds.max}.`, { param: name })
}

/** Engines on pydantic take 1 and "true" for true. */
function isLaxTrue(value: unknown): boolean {
  return value === true || value === 1 || value === 'true'
}

function objectOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

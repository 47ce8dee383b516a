import { createTokenizer } from '@ascribe/gateway/tokenizer'
import { InputError, errorChain } from '@ascribe/kit'
import { HttpCallError, callHttp } from '@ascribe/service'
import { EngineCounter } from './counter.ts'
import { BudgetSpentError, EngineClient, EngineUnreachableError } from './engine-client.ts'
import type { EngineClientOptions } from './engine-client.ts'
import { checkCached } from './checks/cache-check.ts'
import { checkChoices, checkPrompts } from './checks/choices-checks.ts'
import { checkLeaving } from './checks/leaving-check.ts'
import { checkEncoding, checkErrors, checkLimits, checkOverlong, checkRequestId, checkUnknownModel } from './checks/manners-checks.ts'
import { checkEmbeddings, checkJson, checkStream, checkWish } from './checks/usage-checks.ts'
import type { Finding } from './finding.ts'
import type { Examination } from './measure.ts'
import { isJson, jsonOf } from './reading.ts'

type Check = (examination: Examination) => AsyncIterable<Finding> | Promise<Finding | Finding[]>

/** What can be asked for by name, in the order in which it is asked. */
export const CHECKS: Readonly<Record<string, Check>> = {
  chat: (examination) => checkJson(examination, 'chat'),
  'chat-stream': (examination) => checkStream(examination, 'chat'),
  'include-usage': checkWish,
  completions: (examination) => checkJson(examination, 'completions'),
  'completions-stream': (examination) => checkStream(examination, 'completions'),
  embeddings: checkEmbeddings,
  responses: (examination) => checkJson(examination, 'responses'),
  'responses-stream': (examination) => checkStream(examination, 'responses'),
  messages: (examination) => checkJson(examination, 'messages'),
  'messages-stream': (examination) => checkStream(examination, 'messages'),
  choices: checkChoices,
  prompts: checkPrompts,
  cached: checkCached,
  leaving: checkLeaving,
  limits: checkLimits,
  overlong: checkOverlong,
  errors: checkErrors,
  'request-id': checkRequestId,
  'unknown-model': checkUnknownModel,
  encoding: checkEncoding,
}

export type ExamineOptions = Omit<EngineClientOptions, 'requestsMax'> & {
  /** Default: the first that the engine lists. */
  readonly model: string | undefined
  /** Names of {@link CHECKS}; `undefined`: all. */
  readonly only: readonly string[] | undefined
  readonly nonce: string
}

/** Looks at the engine's counter included; an examination of everything takes about half of it. */
const REQUESTS_MAX = 400
const TOKENIZER_MS_MAX = 5000

export type EngineFacts = { readonly model: string; readonly models: readonly string[] }

/** An examination that has begun: the engine answers, and has a model. */
export type Engine = EngineFacts & { readonly findings: AsyncGenerator<Finding, void, undefined>; asked(): number }

/** Begins to look at an engine. @throws {InputError} {EngineUnreachableError} */
export async function examineEngine(options: ExamineOptions): Promise<Engine> {
  const client = new EngineClient({ ...options, requestsMax: REQUESTS_MAX })
  const models = await modelsOf(client)
  const model = options.model ?? models[0]
  if (model === undefined)
    throw new InputError(`Cannot check the engine at ${options.origin}: it lists no models`, { hint: 'Name one with --model.' })
  return { model, models, findings: examine(client, model, options), asked: () => client.asked }
}

async function* examine(client: EngineClient, model: string, options: ExamineOptions): AsyncGenerator<Finding, void, undefined> {
  const found = await EngineCounter.find(client).catch(noCounter)
  yield counterFinding(found)
  const credential = options.credential
  const tokenizer = createTokenizer(
    {
      origin: options.origin,
      basePath: options.basePath,
      model,
      ...(credential !== undefined && { credential: { reveal: () => credential } }),
    },
    { timeoutMs: TOKENIZER_MS_MAX, call: (call) => callHttp({ ...call, timeoutMs: Math.min(client.spend(), TOKENIZER_MS_MAX) }) },
  )
  const tokens = await tokenizer.count('one two three', 'output').catch(() => undefined)
  yield tokens === undefined
    ? { capability: 'tokenizer', verdict: 'absent', detail: 'no tokenizer that we know how to ask' }
    : { capability: 'tokenizer', verdict: 'ok', detail: `the one of ${tokenizer.engine}: "one two three" is ${tokens} tokens` }
  const examination: Examination = {
    client,
    model,
    counter: found === 'busy' ? undefined : found,
    tokenizer,
    nonce: options.nonce,
  }
  for (const [name, check] of Object.entries(CHECKS)) {
    if (options.only !== undefined && !options.only.includes(name)) continue
    for await (const finding of checked(name, check, examination)) yield withTokenizer(finding, tokens !== undefined)
  }
}

/** A check that cannot be made says why; the next one is made all the same. */
async function* checked(capability: string, check: Check, examination: Examination): AsyncGenerator<Finding, void, undefined> {
  try {
    const found = check(examination)
    if (Symbol.asyncIterator in found) yield* found
    else for (const finding of [await found].flat()) yield finding
  } catch (thrown) {
    if (!(thrown instanceof HttpCallError || thrown instanceof BudgetSpentError)) throw thrown
    yield { capability, verdict: 'unclear', detail: errorChain(thrown) }
  }
}

/** A place for counters that does not answer has none. */
function noCounter(thrown: unknown): undefined {
  if (!(thrown instanceof HttpCallError || thrown instanceof BudgetSpentError)) throw thrown
}

/** An engine that is silent in streams and has a tokenizer can be asked what it has generated. */
function withTokenizer(finding: Finding, has: boolean): Finding {
  if (!has || finding.settings?.['silent_streams'] !== 'estimate') return finding
  return { ...finding, settings: { ...finding.settings, silent_streams: 'tokenize' } }
}

function counterFinding(found: EngineCounter | 'busy' | undefined): Finding {
  const capability = 'counter'
  if (found === undefined)
    return {
      capability,
      verdict: 'absent',
      detail: 'no counter of generated tokens at /metrics',
      means: 'Usage can be held against limits and the tokenizer only. llama-server has one when it is started with --metrics.',
    }
  if (found === 'busy')
    return {
      capability,
      verdict: 'unclear',
      detail: 'it moves while we ask for nothing: others are being served',
      means: 'Nothing can be held against it. Check again when the engine is idle.',
    }
  return { capability, verdict: 'ok', detail: found.name }
}

async function modelsOf(client: EngineClient): Promise<readonly string[]> {
  const reply = await client.get('/models')
  if (reply.status >= 500)
    throw new EngineUnreachableError(`Cannot check the engine: GET /v1/models answers ${reply.status}; it may still be loading its model`)
  const list = jsonOf(reply)?.['data']
  if (!Array.isArray(list)) return []
  return list.filter(isJson).flatMap(({ id }) => (typeof id === 'string' ? [id] : []))
}

import type { Finding } from '../finding.ts'
import { PATHS, measure } from '../measure.ts'
import type { Examination } from '../measure.ts'
import { isJson, jsonOf, messageOf, readReply } from '../reading.ts'
import type { EngineReply } from '../engine-client.ts'
import { generationBody, notMeasured } from './usage-checks.ts'

/** What a person reads of a file of the engine's own in an error. */
const SOURCE_PATH = /(?:\/[\w.-]+){2,}\.(?:py|cpp|c|h|ts|js|rs|go)\b/
const BODY_TOKENS = 4

/** How it refuses: a client's library needs a status below 500 and an error of the usual shape. */
export async function* checkErrors({ client, model }: Examination): AsyncGenerator<Finding, void, undefined> {
  const wrong = await client.post(PATHS.chat, { model, messages: 'none', max_tokens: BODY_TOKENS })
  yield refusal('errors', wrong, 'messages that are no list')
  const broken = await client.post(PATHS.chat, '{"model":')
  const finding = refusal('errors-json', broken, 'broken JSON')
  yield finding.verdict === 'misreports' ? { ...finding, means: 'The gateway refuses broken JSON itself.' } : finding
}

function refusal(capability: string, reply: EngineReply, what: string): Finding {
  const { status } = reply
  const detail = `${what}: it answers ${status}`
  if (status < 400) return { capability, verdict: 'misreports', detail, means: 'Mistakes are generated for, and billed.' }
  const error = jsonOf(reply)?.['error']
  const path = SOURCE_PATH.exec(reply.body.toString('utf8'))
  if (path !== null)
    return {
      capability,
      verdict: 'misreports',
      detail: `${detail}, and names a file of its own`,
      means: 'Errors of an engine pass to clients as they are.',
    }
  if (status >= 500) return { capability, verdict: 'misreports', detail, means: "Clients' libraries try again what can never work." }
  if (!isJson(error) || typeof error['message'] !== 'string')
    return {
      capability,
      verdict: 'misreports',
      detail: `${detail}, without {"error":{"message"}}`,
      means: "Clients' libraries cannot say what is wrong.",
    }
  return { capability, verdict: 'ok', detail: `${detail}: ${messageOf(reply)}` }
}

/** A request id as people write them. */
export async function checkRequestId({ client, model }: Examination): Promise<Finding> {
  const capability = 'request-id'
  const id = 'ticket-4711'
  const reply = await client.post(PATHS.chat, generationBody('chat', model, BODY_TOKENS), { headers: { 'x-request-id': id } })
  if (reply.status >= 400)
    return {
      capability,
      verdict: 'misreports',
      detail: `a request with x-request-id: ${id} is answered with ${reply.status}`,
      means: "Clients' own ids must not reach it.",
      settings: { forward_request_id: false },
    }
  const echoed = reply.headers.get('x-request-id')
  return { capability, verdict: 'ok', detail: echoed === id ? 'it takes any id, and sends it back' : 'it takes any id' }
}

const NO_SUCH_MODEL = 'ascribe-no-such-model'

/** A model that it cannot know. */
export async function checkUnknownModel(examination: Examination): Promise<Finding> {
  const capability = 'unknown-model'
  const body = generationBody('chat', NO_SUCH_MODEL, BODY_TOKENS)
  const reply = await examination.client.post(PATHS.chat, body)
  if (reply.status === 404 || reply.status === 400) return { capability, verdict: 'ok', detail: `it answers ${reply.status}` }
  if (reply.status >= 400) return { capability, verdict: 'unclear', detail: `it answers ${reply.status}` }
  const named = readReply('chat', body, reply)?.observation.model
  const settings = { models: [examination.model] }
  if (named === NO_SUCH_MODEL)
    return {
      capability,
      verdict: 'misreports',
      detail: 'it answers for any name, and repeats that name',
      means: 'Prices go by the name that the engine gives: whoever asks would choose his price. List the models in the route.',
      settings,
    }
  return {
    capability,
    verdict: 'misreports',
    detail: `it answers for any name, as ${named ?? 'nobody'}`,
    means: 'Requests for models that are not there are served, and billed as the one that is. List the models in the route.',
    settings,
  }
}

/** Whether a reply comes as it was asked for: uncompressed. */
export async function checkEncoding({ client, model }: Examination): Promise<Finding> {
  const capability = 'encoding'
  const reply = await client.post(PATHS.chat, generationBody('chat', model, BODY_TOKENS))
  const encoding = reply.headers.get('content-encoding') ?? 'identity'
  if (encoding === 'identity') return { capability, verdict: 'ok', detail: 'replies come uncompressed, as a gateway asks for' }
  return {
    capability,
    verdict: 'misreports',
    detail: `replies come as ${encoding}, although they were asked for uncompressed`,
    means: 'A copy of each is decoded; in streams, a usage event that no client asked for cannot be withheld.',
  }
}

/** The newer name of the limit beside the older one: which of them holds. */
export async function checkLimits(examination: Examination): Promise<Finding> {
  const capability = 'limits'
  const most = 12
  const least = 3
  const body = { ...generationBody('chat', examination.model, most), max_completion_tokens: least }
  const measured = await measure(examination, 'chat', body)
  if (measured.kind !== 'measured') return notMeasured(capability, measured)
  const tokens = measured.counted ?? measured.reading.said.completionTokens ?? 0
  const detail = `max_tokens ${most} and max_completion_tokens ${least}: ${tokens} tokens`
  if (tokens <= least) return { capability, verdict: 'ok', detail }
  if (tokens <= most)
    return {
      capability,
      verdict: 'misreports',
      detail: `${detail}, so it does not know the second`,
      means: 'A client that sends max_completion_tokens alone gets a reply of any length. Budgets hold the larger of the two.',
    }
  return { capability, verdict: 'misreports', detail, means: 'Limits do not hold: budgets can be overrun by whole replies.' }
}

/** Words of a prompt that most small contexts do not hold, and that cost little where they do. */
const LONG_WORDS = 3000

/** A stream over the context: some answer with success, and nothing. */
export async function checkOverlong(examination: Examination): Promise<Finding> {
  const capability = 'overlong'
  const body = { model: examination.model, prompt: 'the '.repeat(LONG_WORDS), max_tokens: 1, stream: true }
  const measured = await measure(examination, 'completions', body)
  if (measured.kind === 'refused') return { capability, verdict: 'ok', detail: `a prompt over its context: ${measured.says}` }
  if (measured.kind !== 'measured') return notMeasured(capability, measured)
  const { observation } = measured.reading
  if (observation.bytes === 0 || (observation.deltas === 0 && observation.choices === 0))
    return {
      capability,
      verdict: 'misreports',
      detail: 'a stream over its context is answered with success, and nothing in it',
      means: 'Nothing is billed for it: the record is `unknown`.',
    }
  return { capability, verdict: 'unclear', detail: `its context holds more than ${LONG_WORDS} words` }
}

import type { Finding, Verdict } from '../finding.ts'
import { agrees, measure, truthOf } from '../measure.ts'
import type { CheckedApi, Examination, Measured, Refused, Truth } from '../measure.ts'
import { usageBlocks } from '../reading.ts'

/** Tokens that a reply may have: enough for two engines to differ, little enough to cost nothing. */
const REPLY_TOKENS = 24
const PROMPT = 'Write the whole numbers from one on, in words, separated by spaces, and do not stop.'

/** A request that generates, in the words of each API. */
export function generationBody(api: Exclude<CheckedApi, 'embeddings'>, model: string, maxTokens: number = REPLY_TOKENS): object {
  const messages = [{ role: 'user', content: PROMPT }]
  switch (api) {
    case 'chat':
      return { model, messages, max_tokens: maxTokens }
    case 'completions':
      return { model, prompt: PROMPT, max_tokens: maxTokens }
    case 'responses':
      return { model, input: PROMPT, max_output_tokens: maxTokens, store: false }
    case 'messages':
      return { model, messages, max_tokens: maxTokens }
  }
}

/** Usage in a reply in one piece. */
export async function checkJson(examination: Examination, api: Exclude<CheckedApi, 'embeddings'>): Promise<Finding> {
  const measured = await measure(examination, api, generationBody(api, examination.model))
  if (measured.kind !== 'measured') return notMeasured(api, measured)
  return judge(api, measured, await truthOf(examination, measured, { maxTokens: REPLY_TOKENS }))
}

/** Usage in a stream that was asked for it, and how the stream ends. */
export async function checkStream(examination: Examination, api: Exclude<CheckedApi, 'embeddings'>): Promise<Finding[]> {
  const capability = `${api}-stream`
  const body = generationBody(api, examination.model)
  const hasWish = api === 'chat' || api === 'completions'
  const wished = { ...body, stream: true, ...(hasWish && { stream_options: { include_usage: true } }) }
  const measured = await measure(examination, api, wished)
  if (measured.kind !== 'measured') return [hasWish ? await withoutWish(examination, api, measured) : notMeasured(capability, measured)]
  const { observation } = measured.reading
  if (observation.form !== 'sse')
    return [
      { capability, verdict: 'absent', detail: `it answers a request for a stream with ${measured.reply.headers.get('content-type')}` },
    ]
  const truth = await truthOf(examination, measured, { maxTokens: REPLY_TOKENS })
  return [judge(capability, measured, truth), ...endOf(capability, measured)]
}

/** Whether it is the wish for usage that an engine refuses, or streams altogether. */
async function withoutWish(examination: Examination, api: 'chat' | 'completions', refused: Refused): Promise<Finding> {
  const capability = `${api}-stream`
  if (refused.kind === 'absent') return notMeasured(capability, refused)
  const plain = await measure(examination, api, { ...generationBody(api, examination.model), stream: true })
  if (plain.kind !== 'measured') return notMeasured(capability, refused)
  return {
    capability,
    verdict: 'misreports',
    detail: `it streams, but not with stream_options.include_usage: ${refused.says}`,
    means: 'A gateway asks every stream for its usage, so no stream of this engine gets through.',
    settings: { silent_streams: 'refuse' },
  }
}

/** How a stream ends: a client that gets no terminal event does not know whether it has everything. */
function endOf(capability: string, { reading, reply }: Measured): Finding[] {
  if (reading.terminal) return []
  return [
    {
      capability: `${capability}-end`,
      verdict: 'misreports',
      detail: `the stream ${reply.broken ? 'breaks off' : 'ends'} without its terminal event`,
      means: 'Clients cannot tell a whole stream from one that broke off. It is metered all the same.',
    },
  ]
}

/** Whether usage comes only where it was wished for. */
export async function checkWish(examination: Examination): Promise<Finding> {
  const capability = 'include-usage'
  const measured = await measure(examination, 'chat', { ...generationBody('chat', examination.model), stream: true })
  if (measured.kind !== 'measured') return notMeasured(capability, measured)
  const blocks = usageBlocks(measured.reply)
  if (blocks === 0) return { capability, verdict: 'ok', detail: 'a stream that was not asked for usage carries none' }
  return {
    capability,
    verdict: 'ok',
    detail: `a stream that was not asked for usage carries ${blocks} block${blocks === 1 ? '' : 's'} of it`,
    means: 'What an engine sends unasked passes to the client as it is.',
  }
}

/** Usage of embeddings: what a list costs is what its parts cost. */
export async function checkEmbeddings(examination: Examination): Promise<Finding> {
  const capability = 'embeddings'
  const inputs = ['one two three', 'the sum of all that was used in one month']
  const counts: (number | null)[] = []
  for (const input of [...inputs, inputs]) {
    const measured = await measure(examination, 'embeddings', { model: examination.model, input })
    if (measured.kind !== 'measured') return { capability, verdict: 'absent', detail: measured.says }
    const { said } = measured.reading
    if (said.provenance !== 'reported' || said.invalidUsage === true) return judge(capability, measured, undefined)
    counts.push(said.promptTokens)
  }
  const [first, second, both] = counts.map((count) => count ?? 0)
  const sum = (first ?? 0) + (second ?? 0)
  if (first === 0 || both !== sum)
    return {
      capability,
      verdict: 'misreports',
      detail: `two texts together cost ${both} tokens, one by one ${first} and ${second}`,
      means: 'Lists of inputs are billed for another number of tokens than their parts.',
    }
  return { capability, verdict: 'ok', detail: `two texts together cost ${both} tokens, as they do one by one` }
}

export function notMeasured(capability: string, { kind, says }: Refused): Finding {
  return { capability, verdict: kind === 'absent' ? 'absent' : 'unclear', detail: says }
}

/** Holds what an engine says of itself against what it did. */
function judge(capability: string, { reading }: Measured, truth: Truth | undefined): Finding {
  const { said, observation } = reading
  const finding = (verdict: Verdict, detail: string, more: Partial<Finding> = {}): Finding => ({ capability, verdict, detail, ...more })
  if (said.invalidUsage === true) return finding('misreports', 'its usage contradicts itself, or holds what is no count', INVALID)
  if (said.provenance === 'unknown') return finding('misreports', 'it answers with success and nothing in it', EMPTY)
  if (said.provenance !== 'reported') return finding('silent', 'no usage in it', observation.form === 'sse' ? SILENT_STREAM : SILENT_JSON)
  const output = said.completionTokens ?? 0
  const counts = `${said.promptTokens} tokens in, ${output} out`
  if (said.promptTokens === 0) return finding('misreports', `${counts}: a prompt is never empty`, WRONG)
  if (truth === undefined) {
    if (output === 0 && observation.contentBytes > 0) return finding('misreports', `${counts}, but there is text`, WRONG)
    return finding(capability === 'embeddings' ? 'ok' : 'unclear', `${counts}; nothing to hold that against`)
  }
  const checked = `${counts}; ${truth.tokens} ${truth.by}`
  return agrees(output, truth) ? finding('ok', checked) : finding('misreports', checked, WRONG)
}

const INVALID = { means: 'Such counts are never charged as they are: records are estimated and marked.' }
const EMPTY = { means: 'Records of such replies are `unknown`: held, never zero.' }
const WRONG = { means: 'Bills made of these numbers are wrong. No setting mends it.' }
const SILENT_JSON = { means: 'Records are `estimated` by the size of the text.' }
const SILENT_STREAM = {
  means: 'Records of its streams are estimated, by pieces of text, by its tokenizer, or it does not get to stream.',
  settings: { silent_streams: 'estimate' },
}

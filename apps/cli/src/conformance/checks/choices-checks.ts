import type { Finding } from '../finding.ts'
import { agrees, measure, truthOf } from '../measure.ts'
import type { Examination, Measured, Truth } from '../measure.ts'
import { generationBody, notMeasured } from './usage-checks.ts'

const CHOICES = 3
const CHOICE_TOKENS = 8
/** Of unequal length, so that it shows which of them was counted. */
const PROMPTS = ['one two three four', 'Write the names of the months, one after the other, beginning with the first month of a year.']

/** `n` > 1 in one piece, in a stream, and a list of prompts: three places where engines are known to count one reply only. */
export async function* checkChoices(examination: Examination): AsyncGenerator<Finding, void, undefined> {
  const chat = { ...generationBody('chat', examination.model, CHOICE_TOKENS), n: CHOICES }
  yield judge('choices', await measure(examination, 'chat', chat), examination, CHOICES)
  const streamed = { ...chat, stream: true, stream_options: { include_usage: true } }
  yield judge('choices-stream', await measure(examination, 'chat', streamed), examination, CHOICES)
}

/** A list of prompts: what it costs is what its prompts cost. */
export async function checkPrompts(examination: Examination): Promise<Finding> {
  const capability = 'prompts'
  const body = { model: examination.model, max_tokens: CHOICE_TOKENS }
  const measured = await measure(examination, 'completions', { ...body, prompt: PROMPTS })
  const output = await judge(capability, measured, examination, PROMPTS.length)
  if (measured.kind !== 'measured' || output.verdict !== 'ok') return output
  let sum = 0
  for (const prompt of PROMPTS) {
    const single = await measure(examination, 'completions', { ...body, prompt })
    if (single.kind !== 'measured') return notMeasured(capability, single)
    sum += single.reading.said.promptTokens ?? 0
  }
  const told = measured.reading.said.promptTokens ?? 0
  if (told === sum) return output
  return {
    capability,
    verdict: 'misreports',
    detail: `${PROMPTS.length} prompts together: ${told} tokens in, one by one ${sum}`,
    means: 'The input of lists of prompts is billed for less than was read.',
    settings: { multiple_choices: 'refuse' },
  }
}

async function judge(
  capability: string,
  measured: Awaited<ReturnType<typeof measure>>,
  examination: Examination,
  asked: number,
): Promise<Finding> {
  if (measured.kind !== 'measured') return notMeasured(capability, measured)
  const { said, observation } = measured.reading
  if (observation.choices === 1 && capability.startsWith('choices'))
    return {
      capability,
      verdict: 'absent',
      detail: `${asked} choices were asked for, one comes`,
      means: 'One choice is billed, as reported.',
    }
  const truth = await truthOf(examination, measured, { maxTokens: CHOICE_TOKENS })
  if (said.provenance !== 'reported')
    return {
      capability,
      verdict: 'silent',
      detail: 'no usage in it',
      means: 'Records are estimated.',
      settings: { multiple_choices: 'refuse' },
    }
  if (observation.blocks.length > 1) return blockForEach(capability, measured, truth)
  const output = said.completionTokens ?? 0
  if (truth === undefined)
    return {
      capability,
      verdict: 'unclear',
      detail: `${output} tokens out for ${asked} replies; nothing to hold that against`,
      settings: { multiple_choices: 'count' },
    }
  const detail = `${output} tokens out for ${asked} replies; ${truth.tokens} ${truth.by}`
  if (agrees(output, truth)) return { capability, verdict: 'ok', detail, settings: { multiple_choices: 'trust' } }
  return { capability, verdict: 'misreports', detail, ...remedy(measured, truth) }
}

/** One usage block a choice in one stream, each with the whole prompt: nobody who reads one of them, or adds them up, has what was used. */
function blockForEach(capability: string, { reading }: Measured, truth: Truth | undefined): Finding {
  const { blocks } = reading.observation
  const recorded = reading.recorded('count').completionTokens ?? 0
  const holds = truth === undefined || agrees(recorded, truth)
  return {
    capability,
    verdict: 'misreports',
    detail: `${blocks.length} usage blocks in one stream, one a choice; the last alone says ${blocks.at(-1)?.completion}${truth === undefined ? '' : `, ${truth.tokens} ${truth.by}`}`,
    means: `By \`count\` they are added up, the prompt once: ${recorded}${holds ? '' : ', which is wrong too'}.`,
    settings: { multiple_choices: holds ? 'count' : 'refuse' },
  }
}

/** Whether the gateway's own policy would have come to the truth. */
function remedy({ reading }: Measured, truth: Truth): Pick<Finding, 'means' | 'settings'> {
  const recorded = reading.recorded('count')
  const isStream = reading.observation.form === 'sse'
  if (isStream && agrees(recorded.completionTokens ?? 0, truth))
    return {
      means: `Taken as it is, this would be billed wrong; by \`count\` it is recorded as ${recorded.completionTokens}, ${recorded.provenance}.`,
      settings: { multiple_choices: 'count' },
    }
  return {
    means: `By \`count\` this one is recorded as ${recorded.completionTokens}, ${recorded.provenance}; replies that end by themselves cannot be corrected.`,
    settings: { multiple_choices: 'refuse' },
  }
}

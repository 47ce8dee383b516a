import type { Finding } from '../finding.ts'
import { measure } from '../measure.ts'
import type { Examination, Measured } from '../measure.ts'
import { notMeasured } from './usage-checks.ts'

/** Caches work by blocks of up to some hundred tokens: a shorter prompt would never be found. */
const PROMPT_WORDS = 300

/** The same long prompt twice: whether the second one says what it found in the cache. */
export async function checkCached(examination: Examination): Promise<Finding> {
  const capability = 'cached'
  const content = `${examination.nonce} ${'what is the price of one token in this month '.repeat(PROMPT_WORDS / 9)}`
  const body = { model: examination.model, messages: [{ role: 'user', content }], max_tokens: 1 }
  const replies: Measured[] = []
  for (let turn = 0; turn < 2; turn += 1) {
    const measured = await measure(examination, 'chat', body)
    if (measured.kind !== 'measured') return notMeasured(capability, measured)
    replies.push(measured)
  }
  const [first, second] = replies
  const [before, after] = [first?.reading.said.cachedTokens ?? null, second?.reading.said.cachedTokens ?? null]
  const prompt = second?.reading.said.promptTokens ?? 0
  const counted = second?.countedCached
  const detail = `of ${prompt} tokens ${after ?? 'an unknown number'} cached the second time, ${before ?? 'an unknown number'} the first`
  if ((after ?? 0) > (before ?? 0)) {
    if (counted === undefined || counted === after) return { capability, verdict: 'ok', detail }
    return {
      capability,
      verdict: 'misreports',
      detail: `${detail}; the engine's counter says ${counted}`,
      means: 'Input is billed at the wrong rate.',
    }
  }
  if ((counted ?? 0) > 0)
    return {
      capability,
      verdict: 'silent',
      detail: `${detail}; the engine's counter says ${counted}`,
      means: 'All input is billed in full. vLLM says what it cached when it is started with --enable-prompt-tokens-details.',
    }
  return { capability, verdict: 'absent', detail, means: 'Nothing is cached, or nobody says so: all input is billed in full.' }
}

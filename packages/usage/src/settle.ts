import { FINISH_REASON_LENGTH_MAX, MODEL_LENGTH_MAX, boundText } from './bound-text.ts'
import { settleMedia } from './media/settle-media.ts'
import type { Observation } from './observation.ts'
import type { Meters, Outcome, Provenance, Settlement } from './record.ts'
import { metersOf } from './usage-counts.ts'
import type { UsageCounts } from './usage-counts.ts'

/**
 * What a route makes of one usage block for several choices or prompts, which some engines fill in for one choice only.
 * - `count`: believed where what passed bears it out, else corrected or marked `estimated`.
 * - `trust`: believed, for engines that are known to add up.
 * - `refuse`: the gateway does not admit such requests; here it is the same as `count`.
 */
export type MultipleChoices = 'count' | 'trust' | 'refuse'

/** How a request ended, as its gateway knows it. */
export type Ending = {
  readonly outcome: Outcome
  /** UTC epoch milliseconds. */
  readonly endedAt: number
  /** Status of the upstream's reply; absent when there was none. */
  readonly status?: number
  /** Milliseconds from admission to the first byte of the upstream's reply. */
  readonly firstByteMs?: number
  readonly multipleChoices: MultipleChoices
  /** What the engine's tokenizer makes of the text that passed: better than bytes, where nothing was reported. */
  readonly tokenized?: { readonly prompt?: number; readonly completion: number } | undefined
  /** The path costs nothing. */
  readonly isFree?: boolean
  /** The engine was cut off on purpose: what it has not said in the end is estimated, the prompt too where nothing passed. */
  readonly isEstimated?: boolean
}

/** A token of text takes about this many bytes; what is longer in one piece of a stream is more than one token. */
const TOKEN_BYTES = 4
const PIECE_BYTES_MAX = 16
/** Whole replies of honest engines stay below this; with two choices of which one was counted they are above. */
const COUNTED_TOKEN_BYTES_MAX = 6
/** Even long tokens have this many bytes: what is added to a report must not be more than was generated. */
const LONG_TOKEN_BYTES = 8

/** Quantities, and how they are known. */
type Quantities = {
  readonly counts: UsageCounts | undefined
  readonly provenance: Provenance
  readonly invalid: boolean
  /** Where they are not those of `counts`. */
  readonly meters?: Meters
}

/** Nothing is known of what a total is made of: it is all in the plain class. */
const NO_PARTS: Omit<UsageCounts, 'prompt' | 'completion'> = {
  cached: 0,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  inputAudio: 0,
  inputImage: 0,
  reasoning: 0,
  outputAudio: 0,
  outputImage: 0,
  unclassified: undefined,
  flagged: false,
}

/** A path that costs nothing, whatever became of the request. */
const FREE: Quantities = { counts: { ...NO_PARTS, prompt: 0, completion: 0 }, provenance: 'reported', invalid: false, meters: {} }
const UNKNOWN: Quantities = { counts: undefined, provenance: 'unknown', invalid: false }

/**
 * Concludes what a request has used, from what was seen of its reply (`undefined`: no reply) and how it ended. Delivered
 * content is never zero for lack of a report, and a count that is not known is null. The README states the policy.
 */
export function settle(seen: Observation | undefined, ending: Ending): Settlement {
  const { counts, provenance, invalid, meters } = ending.isFree === true ? FREE : seen === undefined ? UNKNOWN : concluded(seen, ending)
  const isError = ending.status !== undefined && ending.status >= 400
  const brokeItself = ending.outcome === 'completed' || ending.outcome === 'upstream_reset'
  // Replies with sound, images or rankings seldom name a model.
  const model = seen?.model ?? seen?.asked.media?.model ?? ''
  const finishReason = seen?.finishReason ?? ''
  const settlement: { -readonly [Name in keyof Settlement]: Settlement[Name] } = {
    endedAt: ending.endedAt,
    outcome: isError && brokeItself ? 'upstream_error' : ending.outcome,
    provenance,
    promptTokens: counts?.prompt ?? null,
    cachedTokens: counts?.cached ?? null,
    completionTokens: counts?.completion ?? null,
    meters: meters ?? (counts === undefined || seen === undefined ? {} : metersOf(counts, seen.api)),
  }
  if (ending.status !== undefined) settlement.status = ending.status
  if (model !== '') settlement.model = boundText(model, MODEL_LENGTH_MAX)
  if (finishReason !== '') settlement.finishReason = boundText(finishReason, FINISH_REASON_LENGTH_MAX)
  if (ending.firstByteMs !== undefined) settlement.firstByteMs = ending.firstByteMs
  if (invalid) settlement.invalidUsage = true
  if (counts?.unclassified !== undefined) settlement.unclassified = counts.unclassified
  return settlement
}

function concluded(seen: Observation, ending: Ending): Quantities {
  const known = quantitiesOf(seen, ending)
  if (ending.isEstimated !== true || known.provenance === 'reported' || seen.media !== undefined) return known
  if (known.counts !== undefined) return { ...known, provenance: 'estimated' }
  if ((ending.status ?? 200) >= 400 || seen.failed) return known
  return { ...known, counts: { ...NO_PARTS, prompt: estimatedPrompt(seen), completion: 0 }, provenance: 'estimated' }
}

function quantitiesOf(seen: Observation, ending: Ending): Quantities {
  if (seen.media !== undefined) return settleMedia(seen, seen.media, ending.status)
  const { usage } = seen
  // A count that cannot be is no count: it is estimated from what passed, the other one stands, and the record says why.
  if (usage.kind === 'invalid') return { ...((ending.status ?? 200) >= 400 ? UNKNOWN : estimated(seen, usage)), invalid: true }
  if (usage.kind === 'absent') return (ending.status ?? 200) >= 400 ? UNKNOWN : estimated(seen, tokenized(seen, ending))
  const { counts } = usage
  const invalid = counts.flagged
  const ofChoices = seen.blocks.length > 1 ? sumOfChoices(seen.blocks, seen) : undefined
  const told = ofChoices ?? counts
  if (isMultiple(seen)) return { ...multiple(seen, told, ending.multipleChoices === 'trust'), invalid }
  if (seen.final || seen.whole) return { counts: told, provenance: 'reported', invalid }
  // A running count is as old as the event it came with: what passed after it is not in it.
  if (seen.deltas > told.completion) return { counts: withCompletion(told, seen.deltas), provenance: 'estimated', invalid }
  return { counts: told, provenance: 'continuous', invalid }
}

/**
 * By what was asked for, or, as engines have names of their own for `n`, by what came. Embeddings are left out: their count is one for all
 * inputs with every engine we know.
 */
function isMultiple({ api, asked, choices }: Observation): boolean {
  if (api === 'embeddings') return false
  return asked.choices * asked.prompts > 1 || (choices > 1 && (api === 'chat' || api === 'completions'))
}

/** One block for several choices: as {@link MultipleChoices} says. */
function multiple(seen: Observation, told: UsageCounts, trust: boolean): Omit<Quantities, 'invalid'> {
  const ended = seen.final || seen.whole
  if (trust && ended) return { counts: told, provenance: 'reported' }
  if (seen.form === 'sse') {
    if (seen.deltas > told.completion) return { counts: withCompletion(told, seen.deltas), provenance: 'estimated' }
    return { counts: told, provenance: ended ? 'reported' : 'continuous' }
  }
  if (seen.whole && seen.choices === 1) return { counts: told, provenance: 'reported' }
  const { maxTokens } = seen.asked
  const allLimited = seen.whole && seen.limited > 0 && seen.limited === seen.choices
  // A choice that came to this limit has that many tokens by itself: with fewer in the report it was another limit, the model's own as a rule.
  if (!allLimited || maxTokens === undefined || told.completion < maxTokens)
    return { counts: withCompletion(told, ofAllChoices(seen, told)), provenance: 'estimated' }
  const least = seen.choices * maxTokens
  if (!Number.isSafeInteger(least) || told.completion >= least) return { counts: told, provenance: 'reported' }
  return { counts: withCompletion(told, least), provenance: 'estimated' }
}

/**
 * Text with more bytes to a token than text has was not all counted: then the block is one choice's. It is taken once for each
 * choice, but for no more than the text comes to. A total that fits the text is left alone: an honest engine is not corrected.
 */
function ofAllChoices(seen: Observation, told: UsageCounts): number {
  if (seen.contentBytes <= told.completion * COUNTED_TOKEN_BYTES_MAX) return told.completion
  return Math.max(told.completion, Math.min(told.completion * seen.choices, Math.ceil(seen.contentBytes / LONG_TOKEN_BYTES)))
}

/**
 * One block for each choice: what was generated adds up. The same prompt stands in the block of each of its choices, so with
 * one prompt it counts once, and with several each prompt's share is the sum over all blocks by the choices of each.
 */
function sumOfChoices(blocks: readonly UsageCounts[], seen: Observation): UsageCounts {
  const sum = (part: (counts: UsageCounts) => number | undefined): number =>
    blocks.reduce((total, counts) => total + (part(counts) ?? 0), 0)
  const { choices, prompts } = seen.asked
  const [first] = blocks
  const isOne = prompts === 1
  const prompt = isOne ? Math.max(...blocks.map((counts) => counts.prompt)) : Math.ceil(sum((counts) => counts.prompt) / choices)
  // Later choices find in the cache what the first one has put there: the least is what the cache really saved.
  const cached = isOne ? Math.min(...blocks.map((counts) => counts.cached ?? 0)) : Math.floor(sum((counts) => counts.cached) / choices)
  let plain = prompt - Math.min(cached, prompt)
  const ofPlain = (part: number | undefined): number => {
    const taken = Math.min(part ?? 0, plain)
    plain -= taken
    return taken
  }
  return {
    prompt,
    cached: blocks.some((counts) => counts.cached === undefined) ? undefined : Math.min(cached, prompt),
    cacheWrite5m: ofPlain(first?.cacheWrite5m),
    cacheWrite1h: ofPlain(first?.cacheWrite1h),
    inputAudio: ofPlain(first?.inputAudio),
    inputImage: ofPlain(first?.inputImage),
    completion: sum((counts) => counts.completion),
    reasoning: blocks.some((counts) => counts.reasoning === undefined) ? undefined : sum((counts) => counts.reasoning),
    outputAudio: sum((counts) => counts.outputAudio),
    outputImage: sum((counts) => counts.outputImage),
    unclassified: first?.unclassified,
    flagged: blocks.some((counts) => counts.flagged),
  }
}

/** More was generated than reported: what is more is plain output. */
function withCompletion(counts: UsageCounts, completion: number): UsageCounts {
  return { ...counts, completion }
}

/** A tokenizer makes fewer tokens of a text than were generated where they do not join as it would have it; each piece had one at least. */
function tokenized({ deltas }: Observation, { tokenized: counts }: Ending): Ending['tokenized'] {
  return counts === undefined ? undefined : { ...counts, completion: Math.max(counts.completion, deltas) }
}

/** Nobody has reported anything, or only half of it: from what went in and what passed. */
function estimated(seen: Observation, told: { readonly prompt?: number; readonly completion?: number } = {}): Quantities {
  const output = estimatedOutput(seen)
  if (output === undefined) return UNKNOWN
  const counts: UsageCounts = {
    prompt: told.prompt ?? estimatedPrompt(seen),
    ...NO_PARTS,
    completion: told.completion ?? withinLimit(output, seen),
  }
  return { counts, provenance: 'estimated', invalid: false }
}

/**
 * The request's own limit corrects a guess, but never what was seen to pass: an engine may know no limit by that name, or take 0 for none,
 * and then whoever asks would say what he is billed.
 */
function withinLimit(output: number, seen: Observation): number {
  const least = isByPieces(seen) ? seen.deltas : Math.ceil(seen.contentBytes / LONG_TOKEN_BYTES)
  return Math.min(output, Math.max(least, mostOf(seen.asked)))
}

/** Whether the pieces of a stream are a token each, as far as their length tells. */
function isByPieces({ form, deltas, contentBytes }: Observation): boolean {
  return form === 'sse' && deltas > 0 && contentBytes <= deltas * PIECE_BYTES_MAX
}

/** What the request allows to be generated. */
function mostOf({ choices, prompts, maxTokens }: Observation['asked']): number {
  return maxTokens === undefined ? Number.MAX_SAFE_INTEGER : choices * prompts * maxTokens
}

function estimatedPrompt({ asked }: Observation): number {
  return Math.max(1, Math.ceil(asked.promptBytes / TOKEN_BYTES))
}

/** Undefined when nothing was delivered. */
function estimatedOutput(seen: Observation): number | undefined {
  if (seen.form === 'sse') {
    if (seen.deltas > 0) return isByPieces(seen) ? seen.deltas : Math.ceil(seen.contentBytes / TOKEN_BYTES)
    // It ended as it should and generated nothing that shows: the prompt was read all the same.
    return seen.choices > 0 ? 0 : undefined
  }
  if (seen.bytes === 0 || seen.failed) return undefined
  if (seen.api === 'embeddings') return 0
  if (seen.contentBytes > 0) return Math.ceil(seen.contentBytes / TOKEN_BYTES)
  return seen.whole && seen.choices > 0 ? 0 : Math.ceil(seen.bytes / TOKEN_BYTES)
}

import { inputBound, reservationOfAlternatives } from '@ascribe/admission'
import type { Alternative, AlternativeReservation, BudgetUnit, PriceTable, PricedModel } from '@ascribe/admission'
import type { Reply } from '@ascribe/relay'
import { SEARCH_UNIT_DOCUMENTS } from '@ascribe/usage'
import type { MediaAsked, RequestFacts } from '@ascribe/usage'
import { invalidRequest } from './replies.ts'
import type { Route } from './routes.ts'

/** Models that hear take 10 to 50 tokens a second of sound. */
const AUDIO_TOKENS_PER_SECOND_MAX = 100
/** Models that see take up to some 6,000 tokens for an image in full detail. */
const IMAGE_TOKENS_MAX = 16_384
/** Long documents are ranked in pieces of so many bytes or more, each as one document. */
const DOCUMENT_BYTES_MIN = 500

/** A request for sound, images or a ranking, as far as a budget is concerned. */
export type MediaSize = {
  readonly facts: RequestFacts
  readonly media: MediaAsked
  readonly bodyBytes: number
  readonly route: Pick<Route, 'maxOutputTokens' | 'maxAudioSeconds'>
}

/** What such a request may come to against a budget in `unit`. */
export function mediaReservation(
  size: MediaSize,
  unit: BudgetUnit,
  pricing: { readonly model: PricedModel; readonly prices: PriceTable | undefined; readonly at: number },
): AlternativeReservation {
  return reservationOfAlternatives(alternativesOf(size), unit, pricing)
}

/** Nobody can say what the request may cost: a budget could not hold. */
export function unboundedMediaReply(routeId: string, { facts, route }: MediaSize): Reply {
  const missing = facts.api === 'transcriptions' && route.maxAudioSeconds === undefined ? 'max_audio_seconds' : 'max_output_tokens'
  const what = missing === 'max_audio_seconds' ? 'how long the sound may be that this model takes' : 'how much this model generates at most'
  return invalidRequest(
    `This API key has a budget, and nobody has said ${what}: the operator has to state ${missing} for the route "${routeId}".`,
    { status: 403, code: 'budget_unbounded' },
  )
}

function alternativesOf({ facts, media, bodyBytes, route }: MediaSize): readonly Alternative[] {
  const { maxOutputTokens: output, maxAudioSeconds: seconds } = route
  const prompt = inputBound(facts.promptBytes)
  switch (facts.api) {
    case 'speech':
      return [
        { by: ['input_characters'], most: { input_characters: media.characters ?? 0 } },
        way(['output_audio_tokens'], output !== undefined && { input_tokens: inputBound(bodyBytes), output_audio_tokens: output }),
      ]
    case 'transcriptions': {
      const heard = (seconds ?? 0) * AUDIO_TOKENS_PER_SECOND_MAX
      const isBounded = output !== undefined && seconds !== undefined
      return [
        way(['input_audio_ms'], seconds !== undefined && { input_audio_ms: seconds * 1000 }),
        way(['input_audio_tokens'], isBounded && { input_audio_tokens: heard, input_tokens: prompt, output_tokens: output }),
        // Some engines do not say what of the input was sound.
        way(['input_tokens'], isBounded && { input_tokens: heard + prompt, output_tokens: output }),
      ]
    }
    case 'images': {
      const images = media.images ?? 1
      const seen = (media.inputImages ?? 0) * IMAGE_TOKENS_MAX
      return [
        { by: ['images'], most: { images } },
        way(
          ['output_image_tokens'],
          output !== undefined && { input_tokens: prompt, input_image_tokens: seen, output_image_tokens: images * output },
        ),
      ]
    }
    default: {
      const documents = media.documents ?? 1
      const pieces = documents + Math.ceil(bodyBytes / DOCUMENT_BYTES_MIN)
      return [
        { by: ['search_units'], most: { search_units: Math.ceil(pieces / SEARCH_UNIT_DOCUMENTS) } },
        // The query is read again with each document, in a template of its own.
        { by: ['input_tokens'], most: { input_tokens: bodyBytes + documents * inputBound(media.queryBytes ?? 0) } },
      ]
    }
  }
}

function way(by: readonly string[], most: Readonly<Record<string, number>> | false): Alternative {
  return most === false ? { by } : { by, most }
}

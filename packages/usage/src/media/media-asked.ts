import type { RequestFacts } from '../request-scan.ts'
import type { Api } from '../record.ts'

/**
 * What a request asks for of an API that counts other things than text, as far as its bill depends on it. Every count is what the request says,
 * and stands in where its reply says nothing.
 */
export type MediaAsked = {
  /** The model that was asked for: replies of these APIs seldom name one. */
  readonly model?: string
  /** `speech`: code points of `input`. */
  readonly characters?: number
  /** `images`: how many are wanted, at least 1. */
  readonly images?: number
  /** `images`: how many are sent along to be edited or varied. */
  readonly inputImages?: number
  /** `transcriptions`: bytes of the file. */
  readonly audioBytes?: number
  /** `transcriptions`: milliseconds of sound by the header of a WAV file; absent for every other format. */
  readonly audioMs?: number
  /** `rerank`: how many, at least 1. */
  readonly documents?: number
  /** `rerank`: bytes of the query, which an engine reads again with every document. */
  readonly queryBytes?: number
}

/** The APIs that this folder reads. What they count is in {@link MediaAsked}. */
export type MediaApi = 'speech' | 'transcriptions' | 'images' | 'rerank' | 'free'

export function isMediaApi(api: Api): api is MediaApi {
  return api === 'speech' || api === 'transcriptions' || api === 'images' || api === 'rerank' || api === 'free'
}

/** Why a body cannot be admitted; private to the package. `param` names the member in question. */
export class InvalidMedia extends Error {
  readonly param: string | undefined

  constructor(message: string, param?: string) {
    super(message)
    this.param = param
  }
}

export type MediaDraft = {
  stream: RequestFacts['stream']
  promptBytes: number
  unboundedBy?: string
  media: { -readonly [Name in keyof MediaAsked]: MediaAsked[Name] }
}

/** The facts of a request whose bytes go up as they are: nothing is spliced into it. */
export function mediaFacts(api: MediaApi, draft: MediaDraft): RequestFacts {
  const { stream, promptBytes, unboundedBy, media } = draft
  return {
    kind: 'request',
    api,
    ...(media.model !== undefined && { model: media.model }),
    stream,
    streams: stream === 'true' || stream === 'other',
    includeUsage: false,
    choices: 1,
    prompts: 1,
    ...(unboundedBy !== undefined && { unboundedBy }),
    promptBytes,
    membersStart: 0,
    streamOptions: { kind: 'absent' },
    media,
  }
}

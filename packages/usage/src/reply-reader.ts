import { JsonReader } from './json-reader.ts'
import { isMediaApi } from './media/media-asked.ts'
import { MediaBody } from './media/media-body.ts'
import type { Asked } from './observation.ts'
import type { Api } from './record.ts'
import type { ReplyReader } from './reply.ts'
import type { ReplyText } from './reply-text.ts'
import { SseReader } from './sse-reader.ts'

export type ReplyReaderOptions = {
  readonly api: Api
  /** The facts of the request: `RequestFacts` as they are. */
  readonly asked: Asked
  /** Whether the request may have been answered by a stream; decides only where the reply has no content type. */
  readonly streamedRequest: boolean
  /** The wish for usage was spliced in: the event that answers it is withheld. False for a copy that is only read. */
  readonly injected: boolean
  /** The reply's `Content-Type`, whole. `text/event-stream` in any case and with any parameters is a stream, all else is JSON. */
  readonly contentType: string | undefined
  /** Keeps what a stream generates. */
  readonly text?: ReplyText | undefined
}

export function createReplyReader(options: ReplyReaderOptions): ReplyReader {
  const { api, asked, injected } = options
  if (isMediaApi(api)) return isMediaStream(options) ? new SseReader({ api, asked, injected: false }) : new MediaBody({ api, asked })
  return isStream(options)
    ? new SseReader({ api, asked, injected, text: options.text })
    : new JsonReader({ api, asked, text: options.text })
}

function essenceOf(contentType: string | undefined): string {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

function isStream({ contentType, streamedRequest }: ReplyReaderOptions): boolean {
  // What nearly every engine says.
  if (contentType === 'application/json') return false
  if (contentType === 'text/event-stream; charset=utf-8' || contentType === 'text/event-stream') return true
  const essence = essenceOf(contentType)
  if (essence === 'text/event-stream') return true
  // A stream was asked for, and this is not the JSON of a refusal: some engines and proxies name it something else, or nothing.
  return streamedRequest && !essence.includes('json')
}

/** Sound comes under many names, whatever was asked for: only what is called a stream of events is one. */
function isMediaStream({ api, contentType }: ReplyReaderOptions): boolean {
  return api !== 'free' && essenceOf(contentType) === 'text/event-stream'
}

import type { Reply, RequestHead } from '@ascribe/relay'
import type { Api } from '@ascribe/usage'
import { invalidRequest } from './replies.ts'

/** Why a body is not read. `reason` is for the counter of refusals. */
export type UnreadBody = { readonly reason: 'encoded_body' | 'body_format'; readonly reply: Reply }

const JSON_TYPE = 'application/json'
const FORM = /^\s*(?:multipart\/|application\/x-www-form-urlencoded)/i
const UPLOAD = /^\s*multipart\//i
const OTHER_CHARSET = /;\s*charset\s*=\s*"?(?!utf-?8|us-ascii)/i

/**
 * Refuses what an engine may read in another way than we do, by the head alone: bodies that are compressed; two content types; and JSON that is
 * called a form or text in another character set, for the same bytes can be JSON to us and a form with another model to an engine.
 */
export function unreadBody({ headers }: RequestHead, api: Api): UnreadBody | undefined {
  let contentType: string | undefined
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? ''
    if (name.length !== 12 && name.length !== 16) continue
    const value = headers[index + 1] ?? ''
    const lower = name.toLowerCase()
    if (lower === 'content-encoding' && value.toLowerCase() !== 'identity') return ENCODED
    if (lower !== 'content-type') continue
    if (contentType !== undefined) return refused('The request must have one Content-Type.', 400)
    contentType = value
  }
  // What is free is not read, and a transcription is a form that says how it is to be read.
  if (contentType === undefined || contentType === JSON_TYPE || api === 'free' || api === 'transcriptions') return undefined
  if (FORM.test(contentType) && !(api === 'images' && UPLOAD.test(contentType))) {
    return refused('The request body must be JSON, and be called so: send "Content-Type: application/json".')
  }
  if (OTHER_CHARSET.test(contentType)) return refused('The request body must be in UTF-8: leave "charset" out of its Content-Type.')
  return undefined
}

const ENCODED: UnreadBody = {
  reason: 'encoded_body',
  reply: invalidRequest('The request body must not be compressed.', { status: 415, code: 'unsupported_encoding' }),
}

function refused(message: string, status = 415): UnreadBody {
  return { reason: 'body_format', reply: invalidRequest(message, { status, code: 'unsupported_content_type' }) }
}

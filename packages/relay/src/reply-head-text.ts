import { STATUS_CODES } from 'node:http'
import { isNamed } from './end-to-end-headers.ts'
import { RelayMisuseError } from './errors.ts'
import { isHeadClean } from './head-text.ts'
import type { RawHeaders } from './types.ts'

const statusLines = new Map<number, string>()

/** A reply's head as it is written, but for the fields on the connection and the empty line, which are added last. */
export type ReplyHeadText = {
  readonly text: string
  /** Whether a `Content-Length` says how long the body is. */
  readonly hasLength: boolean
}

/**
 * Order, case and repetition of the fields are kept. `Date` is added where it lacks (RFC 9110 section 6.6.1); what speaks of
 * the connection is left out. Throws {@link RelayMisuseError} for what cannot be said in HTTP.
 */
export function replyHeadText(status: number, headers: RawHeaders): ReplyHeadText {
  let text = statusLineOf(status)
  let lines = 1
  let hasDate = false
  let hasLength = false
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    const value = headers[i + 1] ?? ''
    switch (name.length) {
      case 4:
        hasDate ||= isNamed(name, 'date')
        break
      case 10:
        if (isNamed(name, 'connection') || isNamed(name, 'keep-alive')) continue
        break
      case 14:
        if (!isNamed(name, 'content-length')) break
        // RFC 9110 section 8.6: never with 204.
        if (status === 204) continue
        hasLength = true
        break
      case 17:
        if (isNamed(name, 'transfer-encoding')) continue
        break
      default:
        break
    }
    text += `${name}: ${value}\r\n`
    lines += 1
  }
  if (!isHeadClean(text, lines)) throw new RelayMisuseError('Cannot write a reply: a line break stands in one of its fields')
  if (!hasDate) text += dateLine()
  return { text, hasLength }
}

function statusLineOf(status: number): string {
  const known = statusLines.get(status)
  if (known !== undefined) return known
  if (!Number.isInteger(status) || status < 200 || status > 999) throw new RelayMisuseError(`Cannot write a reply: its status is ${status}`)
  const line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`
  statusLines.set(status, line)
  return line
}

let dateSecond = -1
let dateText = ''

function dateLine(): string {
  const now = Date.now()
  const second = Math.floor(now / 1_000)
  if (second !== dateSecond) {
    dateSecond = second
    dateText = `Date: ${new Date(now).toUTCString()}\r\n`
  }
  return dateText
}

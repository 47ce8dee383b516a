import { STATUS_CODES } from 'node:http'
import { isNamed } from './end-to-end-headers.ts'
import { RelayMisuseError } from '../errors.ts'
import { lengthOf } from './head-scan.ts'
import { areFieldsClean } from './head-text.ts'
import type { RawHeaders } from '../types.ts'

const statusLines = new Map<number, string>()

/** A reply's head as it is written, but for the fields on the connection and the empty line, which are added last. */
export type ReplyHeadText = {
  readonly text: string
  /** What `Content-Length` says; -1: there is none. */
  readonly length: number
}

/**
 * `known`: fields that were read here, see {@link areFieldsClean}. Order, case and repetition of the fields are kept. `Date` is added where it lacks (RFC 9110 section 6.6.1); what speaks of
 * the connection is left out. Throws {@link RelayMisuseError} for what cannot be said in HTTP.
 */
export function replyHeadText(head: { readonly status: number; readonly headers: RawHeaders }, known: RawHeaders): ReplyHeadText {
  const { status, headers } = head
  let text = statusLineOf(status)
  let hasDate = false
  let length = -1
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
        length = lengthOf(value)
        if (length < 0) throw new RelayMisuseError('Cannot write a reply: its Content-Length is not a number')
        break
      case 17:
        if (isNamed(name, 'transfer-encoding')) continue
        break
      default:
        break
    }
    text += `${name}: ${value}\r\n`
  }
  if (!areFieldsClean(headers, known)) throw new RelayMisuseError('Cannot write a reply: a line break stands in one of its fields')
  if (!hasDate) text += dateLine()
  return { text, length }
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

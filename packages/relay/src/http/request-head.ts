import { METHODS } from 'node:http'
import { isNamed } from './end-to-end-headers.ts'
import { byteAt, CR, FieldSpans, HEAD_BAD, HEAD_MORE, lengthOf, LF, scanFields, TARGET, TOKEN } from './head-scan.ts'
import type { RawHeaders } from '../types.ts'

const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS)
const VERSION = ' HTTP/1.'
const SPACE = 32
const SLASH = 47
const ZERO = 48
const ONE = 49

/** Reads the heads of requests. One of them serves every connection: what it holds is good until the next head is read. */
export class RequestHeadReader {
  method = ''
  target = ''
  headers: RawHeaders = []
  /** Bytes of body that the head announces; 0: none, -1: chunked, so unknown. */
  bodyBytes = 0
  /** Said HTTP/1.0: it knows no chunks and no interim replies. */
  isOld = false
  /** Whether the connection may be used again. */
  keepsAlive = true
  /** It sends its body when it has been told 100 (Continue). */
  waitsForContinue = false
  /** It is HTTP, but asks for something that is not done here. */
  isUnsupported = false
  /** It asks for a WebSocket. */
  isWebSocket = false
  /** Where the request line began, behind the empty lines before it. */
  startsAt = 0

  readonly #spans = new FieldSpans()
  #methodEnd = 0
  #targetEnd = 0
  #isBad = false
  #hosts = 0
  #hasLength = false
  #codings = 0
  #closes = false
  #keeps = false

  /** Reads the head that begins at `bytes[at]`. Gives the offset behind it, {@link HEAD_MORE} or {@link HEAD_BAD}. */
  read(bytes: Buffer, range: { readonly at: number; readonly end: number }): number {
    const { end } = range
    let { at } = range
    // RFC 9112 section 2.2: some clients send an empty line after a body.
    while (at + 1 < end && byteAt(bytes, at) === CR && byteAt(bytes, at + 1) === LF) at += 2
    this.startsAt = at
    if (at + 1 === end && byteAt(bytes, at) === CR) return HEAD_MORE
    const fieldsAt = this.#readRequestLine(bytes, at, end)
    if (fieldsAt <= 0) return fieldsAt
    const bodyAt = scanFields(bytes, { at: fieldsAt, end }, this.#spans)
    if (bodyAt <= 0) return bodyAt
    const text = bytes.toString('latin1', at, bodyAt)
    this.method = text.substring(0, this.#methodEnd - at)
    this.target = text.substring(this.#methodEnd + 1 - at, this.#targetEnd - at)
    this.#readFields(text, at)
    return this.#isGood() ? bodyAt : HEAD_BAD
  }

  /** `METHOD target HTTP/1.x` CR LF */
  #readRequestLine(bytes: Uint8Array, start: number, end: number): number {
    let at = start
    while (at < end && TOKEN[byteAt(bytes, at)] === 1) at += 1
    if (at >= end) return HEAD_MORE
    if (at === start || byteAt(bytes, at) !== SPACE) return HEAD_BAD
    this.#methodEnd = at
    at += 1
    const target = at
    while (at < end && TARGET[byteAt(bytes, at)] === 1) at += 1
    if (at >= end) return HEAD_MORE
    if (at === target) return HEAD_BAD
    this.#targetEnd = at
    for (let i = 0; i < VERSION.length; i += 1, at += 1) {
      if (at >= end) return HEAD_MORE
      if (byteAt(bytes, at) !== VERSION.charCodeAt(i)) return HEAD_BAD
    }
    if (at >= end) return HEAD_MORE
    const minor = byteAt(bytes, at)
    if (minor !== ZERO && minor !== ONE) return HEAD_BAD
    this.isOld = minor === ZERO
    if (at + 1 >= end) return HEAD_MORE
    if (byteAt(bytes, at + 1) !== CR) return HEAD_BAD
    if (at + 2 >= end) return HEAD_MORE
    return byteAt(bytes, at + 2) === LF ? at + 3 : HEAD_BAD
  }

  #readFields(text: string, textAt: number): void {
    const { offsets } = this.#spans
    const headers: string[] = []
    this.bodyBytes = 0
    this.waitsForContinue = false
    this.isUnsupported = false
    this.isWebSocket = false
    this.#isBad = false
    this.#hosts = 0
    this.#hasLength = false
    this.#codings = 0
    this.#closes = false
    this.#keeps = false
    for (let i = 0; i < offsets.length; i += 4) {
      const name = text.substring((offsets[i] ?? 0) - textAt, (offsets[i + 1] ?? 0) - textAt)
      const value = text.substring((offsets[i + 2] ?? 0) - textAt, (offsets[i + 3] ?? 0) - textAt)
      headers.push(name, value)
      this.#readField(name, value)
      // Blanks behind a coding: llhttp takes a tab there for a part of it, and others leave it out.
      if (name.length === 17 && text.charCodeAt((offsets[i + 3] ?? 0) - textAt) !== CR && isNamed(name, 'transfer-encoding'))
        this.#isBad = true
    }
    this.headers = headers
    this.keepsAlive = !this.#closes && (this.#keeps || !this.isOld)
  }

  #readField(name: string, value: string): void {
    switch (name.length) {
      case 4:
        if (isNamed(name, 'host')) this.#hosts += 1
        break
      case 6:
        if (isNamed(name, 'expect')) this.#readExpect(value)
        break
      case 7:
        // What a WebSocket carries cannot be followed here; serving such a request as plain HTTP would only mislead.
        if (isNamed(name, 'upgrade') && /websocket/i.test(value)) this.isWebSocket = true
        break
      case 10:
        if (isNamed(name, 'connection')) this.#readConnection(value)
        break
      case 14:
        if (isNamed(name, 'content-length')) this.#readLength(value)
        break
      case 17:
        if (isNamed(name, 'transfer-encoding')) this.#readCoding(value)
        break
      default:
        break
    }
  }

  #readExpect(value: string): void {
    if (value.toLowerCase() === '100-continue') this.waitsForContinue = !this.isOld
    else this.isUnsupported = true
  }

  #readConnection(value: string): void {
    if (value === 'keep-alive') this.#keeps = true
    else if (value === 'close') this.#closes = true
    else {
      for (const option of value.toLowerCase().split(',')) {
        const name = option.trim()
        if (name === 'close') this.#closes = true
        else if (name === 'keep-alive') this.#keeps = true
      }
    }
  }

  #readLength(value: string): void {
    const length = lengthOf(value)
    if (length < 0 || this.#hasLength) this.#isBad = true
    this.#hasLength = true
    this.bodyBytes = length
  }

  #readCoding(value: string): void {
    // "Transfer-Encoding: gzip, chunked" is good HTTP, but nobody could read such a body here.
    if (value.toLowerCase() !== 'chunked') this.#isBad = true
    this.#codings += 1
  }

  /** Whatever could be read in two ways is not (RFC 9112 sections 3.2, 6.1, 6.3 and 11.2). */
  #isGood(): boolean {
    const { method, target } = this
    if (this.#isBad || this.#codings > 1 || (this.#codings > 0 && (this.#hasLength || this.isOld))) return false
    // Exactly one Host in HTTP/1.1; two are an attack on whoever reads the other one.
    if (this.#hosts > 1 || (this.#hosts === 0 && !this.isOld)) return false
    if (method !== 'POST' && method !== 'GET' && !KNOWN_METHODS.has(method)) return false
    if (method === 'CONNECT') this.isUnsupported = true
    // Nearly every target is a path; the others are `*` and whole addresses (RFC 9112 section 3.2).
    else if (target.charCodeAt(0) !== SLASH && !/^(?:\*$|[a-z][a-z0-9+.-]*:\/\/)/i.test(target)) return false
    if (this.#codings > 0) this.bodyBytes = -1
    return true
  }
}

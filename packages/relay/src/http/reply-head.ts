import { addListed, isHopByHop, isNamed, withoutNamed } from './end-to-end-headers.ts'
import { byteAt, CR, FIELD_VALUE, FieldSpans, HEAD_BAD, HEAD_MORE, lengthOf, LF, scanFields } from './head-scan.ts'
import type { RawHeaders } from '../types.ts'

/** How the end of a reply's body is told (RFC 9112 section 6.3). `close`: by the end of the connection. */
export type Framing = 'none' | 'length' | 'chunked' | 'close'

const VERSION = 'HTTP/1.'
const SPACE = 32
const ZERO = 48
const ONE = 49
const NINE = 57

/** Reads the heads of replies. One of them serves every connection: what it holds is good until the next head is read. */
export class ReplyHeadReader {
  status = 0
  /** Without the hop-by-hop fields (RFC 9110 section 7.6.1). */
  headers: RawHeaders = []
  framing: Framing = 'none'
  /** Bytes of the body, for the framing `length`. */
  length = 0
  /** Whether the connection may be used again. */
  keepsAlive = true
  /** What `Keep-Alive: timeout=` says, in milliseconds; -1: nothing. */
  idleMs = -1
  /** What is wrong, after {@link HEAD_BAD}. */
  fault = ''

  readonly #spans = new FieldSpans()
  #named: Set<string> | undefined
  #hasLength = false
  #codings = 0
  #isOld = false
  #closes = false
  #keeps = false

  /**
   * Reads the head that begins at `bytes[at]`. Gives the offset behind it, {@link HEAD_MORE} or {@link HEAD_BAD}. `bodiless`: the
   * request was a HEAD.
   */
  read(bytes: Buffer, range: { readonly at: number; readonly end: number; readonly bodiless: boolean }): number {
    const { at, end } = range
    const fieldsAt = this.#readStatusLine(bytes, at, end)
    if (fieldsAt <= 0) {
      this.fault = 'its first line is not a status line'
      return fieldsAt
    }
    const bodyAt = scanFields(bytes, { at: fieldsAt, end }, this.#spans)
    if (bodyAt <= 0) {
      this.fault = 'its head holds a line that is not a field'
      return bodyAt
    }
    this.#readFields(bytes.toString('latin1', fieldsAt, bodyAt), fieldsAt)
    return this.#frame(range.bodiless) ? bodyAt : HEAD_BAD
  }

  /** `HTTP/1.x NNN[ reason]` CR LF */
  #readStatusLine(bytes: Uint8Array, start: number, end: number): number {
    let at = start
    for (; at < start + VERSION.length; at += 1) {
      if (at >= end) return HEAD_MORE
      if (byteAt(bytes, at) !== VERSION.charCodeAt(at - start)) return HEAD_BAD
    }
    let status = 0
    for (; at < start + 12; at += 1) {
      if (at >= end) return HEAD_MORE
      const byte = byteAt(bytes, at)
      if (at === start + 7) {
        if (byte !== ZERO && byte !== ONE) return HEAD_BAD
        this.#isOld = byte === ZERO
      } else if (at === start + 8) {
        if (byte !== SPACE) return HEAD_BAD
      } else {
        if (byte < ZERO || byte > NINE) return HEAD_BAD
        status = status * 10 + byte - ZERO
      }
    }
    this.status = status
    if (status < 100) return HEAD_BAD
    if (at < end && byteAt(bytes, at) !== SPACE && byteAt(bytes, at) !== CR) return HEAD_BAD
    while (at < end && FIELD_VALUE[byteAt(bytes, at)] === 1) at += 1
    if (at >= end) return HEAD_MORE
    if (byteAt(bytes, at) !== CR) return HEAD_BAD
    if (at + 1 >= end) return HEAD_MORE
    return byteAt(bytes, at + 1) === LF ? at + 2 : HEAD_BAD
  }

  #readFields(text: string, textAt: number): void {
    const { offsets } = this.#spans
    const headers: string[] = []
    this.#named = undefined
    this.#hasLength = false
    this.#codings = 0
    this.#closes = false
    this.#keeps = false
    this.idleMs = -1
    this.fault = ''
    for (let i = 0; i < offsets.length; i += 4) {
      const name = text.substring((offsets[i] ?? 0) - textAt, (offsets[i + 1] ?? 0) - textAt)
      const value = text.substring((offsets[i + 2] ?? 0) - textAt, (offsets[i + 3] ?? 0) - textAt)
      if (isHopByHop(name)) this.#readHop(name, value)
      else {
        if (name.length === 14 && isNamed(name, 'content-length')) this.#readLength(value)
        headers.push(name, value)
      }
    }
    const named = this.#named as Set<string> | undefined
    this.headers = named === undefined ? headers : withoutNamed(headers, named)
  }

  #readLength(value: string): void {
    this.length = lengthOf(value)
    // Two of them, even equal ones, are refused by llhttp too.
    if (this.length < 0 || this.#hasLength) this.fault = 'its length is not one number'
    this.#hasLength = true
  }

  #readHop(name: string, value: string): void {
    if (name.length === 10 && isNamed(name, 'connection')) {
      if (value === 'keep-alive') this.#keeps = true
      else if (value === 'close') this.#closes = true
      else this.#readConnection(value)
    } else if (name.length === 10 && isNamed(name, 'keep-alive')) {
      const seconds = /(?:^|[,;\s])timeout=(\d{1,9})/i.exec(value)?.[1]
      if (seconds !== undefined) this.idleMs = Number(seconds) * 1_000
    } else if (isNamed(name, 'transfer-encoding')) {
      this.#codings += 1
      if (value.toLowerCase() !== 'chunked') this.fault = 'its transfer coding is not chunked'
    }
  }

  #readConnection(value: string): void {
    this.#named = addListed(this.#named, value)
    const options = value
      .toLowerCase()
      .split(',')
      .map((option) => option.trim())
    if (options.includes('close')) this.#closes = true
    if (options.includes('keep-alive')) this.#keeps = true
  }

  /** Decides how the body ends. False: it could be read in two ways. */
  #frame(bodiless: boolean): boolean {
    const { status } = this
    if (status === 101) this.fault = 'it switches protocols, which was not asked for'
    if (this.#codings > 1) this.fault = 'its transfer coding is given twice'
    // RFC 9112 section 6.1: HTTP/1.0 has no transfer codings, so nobody knows where such a message ends.
    if (this.#codings > 0 && this.#isOld) this.fault = 'it gives a transfer coding in HTTP/1.0'
    // Nor interim replies (RFC 9110 section 15.2).
    if (status < 200 && this.#isOld) this.fault = 'it is an interim reply in HTTP/1.0'
    if (this.#codings > 0 && this.#hasLength) this.fault = 'it gives a length beside a transfer coding'
    if (this.fault !== '') return false
    this.keepsAlive = !this.#closes && (this.#keeps || !this.#isOld)
    if (bodiless || status < 200 || status === 204 || status === 304) this.framing = 'none'
    else if (this.#codings > 0) this.framing = 'chunked'
    else if (!this.#hasLength) this.framing = 'close'
    else this.framing = this.length === 0 ? 'none' : 'length'
    return true
  }
}

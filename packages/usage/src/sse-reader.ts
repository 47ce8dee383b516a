import { bodyObservation } from './body-observation.ts'
import { beginsObject, firstByte } from './first-byte.ts'
import { HeldTail } from './held-tail.ts'
import { JsonLexer } from './json-lexer.ts'
import { LongEventReader } from './long-event.ts'
import { isMediaApi } from './media/media-asked.ts'
import type { Asked, Observation } from './observation.ts'
import type { Api } from './record.ts'
import type { ReplyEnd, ReplyReader, Step } from './reply.ts'
import type { ReplyText } from './reply-text.ts'
import { SseScan } from './sse-scan.ts'
import { createTally, hasTypedEvents } from './tallies.ts'
import type { Tally, Word } from './tally.ts'
import { isFields } from './usage-counts.ts'
import type { Fields } from './usage-counts.ts'

/**
 * An incomplete event is held up to this size where it may have to be withheld, or may turn out to be the terminal one; a longer one is
 * never withheld, and of one that may be terminal the last byte stays behind.
 */
const HOLD_BYTES_MAX: number = 16 * 1024
/** A longer event that comes in pieces is not parsed: where events have no type it counts as one piece of content. */
const PARSE_BYTES_MAX: number = 1024 * 1024

const LF = 0x0a
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const

type Unread = { readonly bytes: Buffer; readonly data: readonly number[]; readonly contentBytes: number }

/** A chunk of the smallest events would hold thousands. */
const UNREAD_MAX = 64
/** Never added to. */
const NOTHING_UNREAD: Unread[] = []
const ABSENT = { kind: 'absent' } as const

export type SseOptions = { readonly api: Api; readonly asked: Asked; readonly injected: boolean; readonly text?: ReplyText | undefined }

/** Reads a stream of events as it passes; see {@link ReplyReader}. */
export class SseReader implements ReplyReader {
  readonly form = 'sse'
  terminal = false
  readonly #options: SseOptions
  readonly #tally: Tally
  readonly #scan = new SseScan()
  /** Every event is parsed, before it is passed on: by its type it may be the terminal one. */
  readonly #isTyped: boolean
  /** Every event is parsed where content must be told apart by choice, or kept. */
  readonly #parseAll: boolean
  #bytes = 0
  #whole = false
  /** Before the first three bytes have shown whether they are a byte order mark. */
  #atStart = true
  /** The start of a line that may become the terminal event, or of a byte order mark: the next chunk decides. */
  #carry: Buffer | undefined
  /** The last event ended in a CR: a LF that comes next goes the same way. */
  #lineFeedOf: 'passed' | 'withheld' | undefined
  /** Pieces of an event that is not complete. `undefined` between events. */
  #pieces: Buffer[] | undefined
  #piecesBytes = 0
  /** The pieces have been passed on already. */
  #piecesPassed = false
  /** Of an event with a type that was passed on before it was complete: its end. */
  #tail: HeldTail | undefined
  /** Reads an event with a type whose pieces are too long to be kept. */
  #long: LongEventReader | undefined
  #now: Buffer[] = []
  #later: Buffer[] = []
  /** Reads what turns out to be a JSON body, whatever it is called. */
  #body: JsonLexer | undefined
  #begun = false
  /** Events that were scanned and not read yet: their bytes, and where their data is in them. */
  #unread: Unread[] = NOTHING_UNREAD

  constructor(options: SseOptions) {
    this.#options = options
    this.#tally = createTally(options.api, options.asked)
    this.#isTyped = hasTypedEvents(options.api)
    this.#parseAll = options.text !== undefined || options.asked.choices * options.asked.prompts > 1
  }

  push(chunk: Buffer): Step {
    this.digest()
    this.#bytes += chunk.length
    if (!this.#begun) this.#begin(chunk)
    this.#body?.push(chunk)
    this.#now = []
    this.#later = []
    const bytes = this.#carry === undefined ? chunk : Buffer.concat([this.#carry, chunk])
    this.#carry = undefined
    if (bytes.length > 0) this.#read(bytes)
    return { now: this.#now, afterSettlement: this.#later }
  }

  read(chunk: Buffer): void {
    this.push(chunk)
    this.digest()
  }

  digest(): void {
    if (this.#unread.length === 0) return
    const unread = this.#unread
    this.#unread = NOTHING_UNREAD
    for (const { bytes, data, contentBytes } of unread) this.#readEvent(bytes, data, contentBytes)
  }

  end(how: ReplyEnd = 'whole'): Step {
    this.digest()
    if (how === 'whole') this.#whole = true
    const held = this.#pieces !== undefined && !this.#piecesPassed ? this.#pieces : []
    const rest = Buffer.concat([...(this.#pieces ?? []), ...(this.#carry === undefined ? [] : [this.#carry])])
    let withheld = false
    if (this.#piecesBytes > PARSE_BYTES_MAX) this.#takeLong()
    else if (rest.length > 0) {
      this.#scan.readRest(rest)
      withheld = this.#take(rest) === 'usage' && this.#mayWithhold(rest.length)
    }
    const afterSettlement = withheld ? [] : [...held, ...this.#takeTail()]
    if (!withheld && this.#carry !== undefined) afterSettlement.push(this.#carry)
    this.#carry = undefined
    this.#pieces = undefined
    this.#piecesBytes = 0
    return { now: [], afterSettlement }
  }

  get observation(): Observation {
    this.digest()
    const { api, asked } = this.#options
    if (this.#body?.broken === false) return bodyObservation({ api, asked, lexer: this.#body })
    const tally = this.#tally
    return {
      api,
      form: 'sse',
      asked,
      model: tally.model,
      finishReason: tally.finishReason,
      bytes: this.#bytes,
      usage: tally.usage,
      final: tally.final,
      blocks: tally.blocks,
      deltas: tally.deltas,
      contentBytes: tally.contentBytes,
      choices: tally.choices,
      limited: tally.limited,
      failed: tally.failed,
      whole: this.terminal || this.#whole,
      media: tally.media,
    }
  }

  #begin(chunk: Buffer): void {
    const byte = firstByte(chunk)
    this.#begun = byte >= 0
    if (beginsObject(byte) && !isMediaApi(this.#options.api)) this.#body = new JsonLexer(this.#options.api)
  }

  #read(bytes: Buffer): void {
    let at = 0
    if (this.#atStart) {
      const mark = markLength(bytes)
      if (mark === undefined) {
        this.#carry = bytes
        return
      }
      this.#atStart = false
      at = mark
    }
    let unsent = 0
    if (this.#lineFeedOf !== undefined) {
      if (bytes[0] === LF) {
        at = 1
        if (this.#lineFeedOf === 'withheld') unsent = 1
      }
      this.#lineFeedOf = undefined
    }
    if (this.#pieces !== undefined) {
      const resumed = this.#resume(bytes, this.#pieces)
      if (resumed === undefined) return
      at = resumed.at
      unsent = resumed.unsent
    }
    this.#events(bytes, at, unsent)
  }

  /** Reads event after event from `start`; the bytes from `sent` on have not been given out yet. */
  #events(bytes: Buffer, start: number, sent: number): void {
    const { length } = bytes
    const scan = this.#scan
    let at = start
    let unsent = sent
    while (at < length) {
      const end = scan.scan(bytes, at, !this.terminal)
      if (end < 0) {
        this.#suspend(bytes, at, unsent)
        return
      }
      const word = this.#take(bytes)
      if (word === 'usage' && this.#mayWithhold(end - at)) {
        this.#pass(bytes, unsent, at)
        unsent = end
      } else if (word === 'end') {
        unsent = this.#pass(bytes, unsent, at)
        this.terminal = true
      }
      if (scan.terminal >= 0) {
        unsent = this.#pass(bytes, unsent, end)
        this.terminal = true
      }
      if (scan.afterCr && end === length) this.#lineFeedOf = unsent === end ? 'withheld' : 'passed'
      at = end
    }
    this.#pass(bytes, unsent, length)
  }

  /** The bytes end inside the event that starts at `at`. */
  #suspend(bytes: Buffer, at: number, unsent: number): void {
    const stop = this.#scan.unclear >= 0 ? this.#scan.unclear : bytes.length
    if (stop < bytes.length) this.#carry = bytes.subarray(stop)
    if (stop === at) {
      // Nothing of the event but what is carried: it is scanned from its start next time.
      this.#pass(bytes, unsent, at)
      return
    }
    this.#pieces = [bytes.subarray(at, stop)]
    this.#piecesBytes = stop - at
    this.#piecesPassed = !this.#mayHold(stop - at)
    if (!this.#piecesPassed || !this.#isTyped) return void this.#pass(bytes, unsent, this.#piecesPassed ? stop : at)
    this.#pass(bytes, unsent, at)
    this.#flow(bytes.subarray(at, stop))
  }

  /** Goes on with an incomplete event. Gives where the next one starts, or undefined if it still is not complete. */
  #resume(bytes: Buffer, pieces: Buffer[]): { readonly at: number; readonly unsent: number } | undefined {
    const scan = this.#scan
    const end = scan.resume(bytes, !this.terminal)
    const stop = end >= 0 ? end : scan.unclear >= 0 ? scan.unclear : bytes.length
    this.#piecesBytes += stop
    const piece = bytes.subarray(0, stop)
    if (this.#piecesBytes <= PARSE_BYTES_MAX || !this.#piecesPassed) pieces.push(piece)
    if (!this.#piecesPassed && !this.#mayHold(this.#piecesBytes)) {
      for (const held of pieces) this.#flow(held)
      this.#piecesPassed = true
    } else if (this.#piecesPassed) this.#flow(piece)
    if (this.#piecesBytes > PARSE_BYTES_MAX) this.#readLong(pieces, piece)
    if (end < 0) {
      if (stop < bytes.length) this.#carry = bytes.subarray(stop)
      return undefined
    }
    this.#completed(pieces, { atTerminal: scan.terminal >= 0, afterCr: scan.afterCr && end === bytes.length })
    return { at: end, unsent: end }
  }

  #completed(pieces: Buffer[], how: { readonly atTerminal: boolean; readonly afterCr: boolean }): void {
    let word: Word
    if (this.#piecesBytes > PARSE_BYTES_MAX) word = this.#takeLong()
    else {
      const event = Buffer.concat(pieces)
      // Cut short by a terminal line, the event has no end of its own.
      if (how.atTerminal) this.#scan.readRest(event)
      else this.#scan.scan(event, 0, false)
      word = this.#take(event)
    }
    const withheld = word === 'usage' && !this.#piecesPassed
    if (word === 'end') this.terminal = true
    if (!withheld && !this.#piecesPassed) for (const piece of pieces) this.#give(piece)
    for (const piece of this.#takeTail()) this.#give(piece)
    if (how.atTerminal) this.terminal = true
    if (how.afterCr) this.#lineFeedOf = withheld ? 'withheld' : 'passed'
    this.#pieces = undefined
    this.#piecesBytes = 0
  }

  /** Pieces that are too long to be kept. An event without a type is content, and not read at all. */
  #readLong(pieces: Buffer[], last?: Buffer): void {
    if (this.#isTyped) {
      const unread = this.#long === undefined ? pieces : []
      this.#long ??= new LongEventReader(this.#options.api)
      for (const piece of unread) this.#long.push(piece)
      if (last !== undefined && !unread.includes(last)) this.#long.push(last)
    }
    pieces.length = 0
  }

  #takeLong(): Word {
    if (this.#pieces !== undefined && this.#pieces.length > 0) this.#readLong(this.#pieces)
    const unread = { bytes: this.#piecesBytes, type: undefined, model: undefined, finishReason: undefined, usage: ABSENT }
    const word = this.#tally.long(this.#long?.event ?? unread)
    this.#long = undefined
    this.#options.text?.event(undefined)
    return word
  }

  /** Clients stop at the terminal event, so nothing after it is held or withheld. */
  #mayWithhold(size: number): boolean {
    return this.#options.injected && size <= HOLD_BYTES_MAX && !this.terminal
  }

  #mayHold(size: number): boolean {
    return this.#isTyped ? size <= HOLD_BYTES_MAX && !this.terminal : this.#mayWithhold(size)
  }

  /** Counts the event that has just been scanned. Its word is known where that matters; else it is a `part`. */
  #take(bytes: Buffer): Word {
    const { data, contentBytes, mustParse } = this.#scan
    if (data.length === 0) return 'part'
    if (this.#isTyped) return this.#readEvent(bytes, data, contentBytes)
    if (contentBytes > 0 && !mustParse && !this.#parseAll) {
      if (this.#tally.model === undefined) this.digest()
      if (this.#tally.model !== undefined) {
        this.#tally.content(contentBytes)
        return 'part'
      }
    }
    if (this.#options.injected) return this.#readEvent(bytes, data, contentBytes)
    if (this.#unread.length === UNREAD_MAX) this.digest()
    if (this.#unread.length === 0) this.#unread = []
    this.#unread.push({ bytes, data: data.slice(), contentBytes })
    return 'part'
  }

  #event(event: Fields): Word {
    this.#options.text?.event(event)
    return this.#tally.event(event)
  }

  #readEvent(bytes: Buffer, data: readonly number[], contentBytes: number): Word {
    const event = parsed(dataText(bytes, data))
    if (isFields(event)) return this.#event(event)
    const word = data.length > 2 ? this.#takeLines(bytes, data) : undefined
    if (word !== undefined) return word
    if (contentBytes > 0) this.#tally.content(contentBytes)
    return 'part'
  }

  /** Some engines forget the empty line between events; clients that read line by line do not mind. `undefined`: that was not it. */
  #takeLines(bytes: Buffer, data: readonly number[]): Word | undefined {
    let found: Word | undefined
    for (let index = 0; index < data.length; index += 2) {
      const event = parsed(bytes.toString('utf8', data[index], data[index + 1]))
      if (!isFields(event)) continue
      const word = this.#event(event)
      found = word === 'end' || found === 'end' ? 'end' : 'part'
    }
    return found
  }

  /** Passes on a part of an event that is not complete; of one with a type all but its end. */
  #flow(bytes: Buffer): void {
    if (!this.#isTyped || this.terminal) return this.#give(bytes)
    this.#tail ??= new HeldTail()
    for (const part of this.#tail.push(bytes).now) this.#give(part)
  }

  #takeTail(): readonly Buffer[] {
    return this.#tail?.end().afterSettlement ?? []
  }

  #pass(bytes: Buffer, start: number, end: number): number {
    if (start < end) this.#give(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end))
    return end
  }

  #give(bytes: Buffer): void {
    if (bytes.length > 0) (this.terminal ? this.#later : this.#now).push(bytes)
  }
}

/** Length of a byte order mark at the start; undefined while that is open. */
function markLength(bytes: Buffer): number | undefined {
  for (let index = 0; index < BYTE_ORDER_MARK.length; index += 1) {
    if (index >= bytes.length) return undefined
    if (bytes[index] !== BYTE_ORDER_MARK[index]) return 0
  }
  return BYTE_ORDER_MARK.length
}

/** The event's data: its data lines, joined by line feeds. */
function dataText(bytes: Buffer, data: readonly number[]): string {
  let text = ''
  for (let index = 0; index < data.length; index += 2) {
    if (index > 0) text += '\n'
    text += bytes.toString('utf8', data[index], data[index + 1])
  }
  return text
}

/** How JSON of an object begins (RFC 8259 section 2). */
const OBJECT = /^[\t\n\r ]*\{/

/** What is no object says nothing. To be told by an error that `[DONE]` is no JSON took half of the time of a short stream. */
function parsed(text: string): unknown {
  if (!OBJECT.test(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { BackupError } from './errors.ts'

/*
 * A backup is a stream: a line `ascribe-backup 1`, a line of JSON that says what is in it, then for each table a line {"table": name}, its
 * rows as COPY gives them in pieces, each after a line with its length, a line `0`, and a line {"sha256": …} of its rows; at the end a line
 * {"end": sha256} of everything before. So a stream that was cut off or changed anywhere is known as such.
 */

export const MAGIC = 'ascribe-backup 1'

export type BackupHead = {
  /** RFC 3339. */
  readonly created_at: string
  readonly ledger: string
  readonly migrations: readonly { readonly id: number; readonly name: string; readonly sha256: string }[]
  /** In an order in which rows find those that they refer to. */
  readonly tables: readonly { readonly name: string; readonly columns: readonly string[] }[]
  /** Of the records, as first days; their partitions are made before they come. */
  readonly months: readonly string[]
  /** Last values; text, because they may be beyond 2^53. */
  readonly sequences: Readonly<Record<string, string>>
}

const NEWLINE = 0x0a
/** A line is a length or some JSON: the head is the longest, some kilobytes. */
const LINE_BYTES_MAX = 4 << 20

/** Counts everything that is written, for the digest at the end. */
export class BackupEncoder {
  readonly #all: Hash = createHash('sha256')

  line(text: string): Uint8Array {
    return this.#count(Buffer.from(`${text}\n`))
  }

  /** Rows of a table as they come. */
  async *table(name: string, rows: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    const hash = createHash('sha256')
    yield this.line(JSON.stringify({ table: name }))
    for await (const chunk of rows) {
      if (chunk.length === 0) continue
      hash.update(chunk)
      yield this.line(String(chunk.length))
      yield this.#count(chunk)
    }
    yield this.line('0')
    yield this.line(JSON.stringify({ sha256: hash.digest('hex') }))
  }

  end(): Uint8Array {
    const sha256 = this.#all.digest('hex')
    return Buffer.from(`${JSON.stringify({ end: sha256 })}\n`)
  }

  #count(bytes: Uint8Array): Uint8Array {
    this.#all.update(bytes)
    return bytes
  }
}

/** Reads a backup piece by piece, in bounded memory. Everything that it does not expect is a {@link BackupError}. */
export class BackupDecoder {
  readonly #source: AsyncIterator<Uint8Array>
  readonly #all: Hash = createHash('sha256')
  #buffer: Buffer = Buffer.alloc(0)

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#source = chunks[Symbol.asyncIterator]()
  }

  async head(): Promise<BackupHead> {
    if ((await this.#line()) !== MAGIC) throw new BackupError('Cannot read the backup: it does not begin as one')
    // Its digest is checked at the end, before anything that was made of it is kept.
    return (await this.#json('head')) as BackupHead
  }

  /** The rows of the table that comes next. Read them to their end. */
  async *table(name: string): AsyncGenerator<Uint8Array, void, undefined> {
    const { table } = (await this.#json('table')) as { readonly table?: unknown }
    if (table !== name) throw new BackupError(`Cannot read the backup: it has ${String(table)} where ${name} should be`)
    const hash = createHash('sha256')
    for (;;) {
      const text = await this.#line()
      const length = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
      if (Number.isNaN(length)) throw new BackupError(`Cannot read the backup: the rows of ${name} are damaged`)
      if (length === 0) break
      for await (const chunk of this.#bytes(length)) {
        hash.update(chunk)
        yield chunk
      }
    }
    const { sha256 } = (await this.#json('digest')) as { readonly sha256?: unknown }
    if (sha256 !== hash.digest('hex')) throw new BackupError(`Cannot read the backup: the rows of ${name} are not those that were written`)
  }

  async end(): Promise<void> {
    const expected = this.#all.digest('hex')
    const { end } = JSON.parse(await this.#line({ counts: false })) as { readonly end?: unknown }
    if (end !== expected) throw new BackupError('Cannot read the backup: it is not what was written')
    if (this.#buffer.length > 0 || (await this.#source.next()).done !== true) {
      throw new BackupError('Cannot read the backup: something comes after its end')
    }
  }

  async #json(what: string): Promise<unknown> {
    try {
      return JSON.parse(await this.#line()) as unknown
    } catch (cause) {
      throw cause instanceof BackupError ? cause : new BackupError(`Cannot read the backup: its ${what} is damaged`, { cause })
    }
  }

  async #line({ counts = true } = {}): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf(NEWLINE)
      if (end >= 0) {
        const line = this.#buffer.subarray(0, end)
        if (counts) this.#all.update(this.#buffer.subarray(0, end + 1))
        this.#buffer = this.#buffer.subarray(end + 1)
        return line.toString()
      }
      if (this.#buffer.length > LINE_BYTES_MAX) throw new BackupError('Cannot read the backup: a line has no end')
      await this.#more()
    }
  }

  async *#bytes(length: number): AsyncGenerator<Uint8Array, void, undefined> {
    let left = length
    while (left > 0) {
      if (this.#buffer.length === 0) await this.#more()
      const chunk = this.#buffer.subarray(0, left)
      this.#buffer = this.#buffer.subarray(chunk.length)
      left -= chunk.length
      this.#all.update(chunk)
      yield chunk
    }
  }

  async #more(): Promise<void> {
    const { value, done } = await this.#source.next()
    if (done === true) throw new BackupError('Cannot read the backup: it is cut off')
    this.#buffer = this.#buffer.length === 0 ? Buffer.from(value) : Buffer.concat([this.#buffer, value])
  }
}

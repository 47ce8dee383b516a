import { HeldTail } from '../held-tail.ts'
import type { Asked, Observation } from '../observation.ts'
import type { ReplyEnd, ReplyReader, Step } from '../reply.ts'
import { MemberReader } from './member-reader.ts'
import type { MediaApi } from './media-asked.ts'
import { readMediaUsage } from './media-usage.ts'

/** Enough for the last lines of subtitles. */
const TAIL_BYTES = 4096
/** The end of a line's time, `00:01:02,345` in SRT, `01:02.345` in WebVTT. */
const CUE_END = /-->\s*(?:(\d+):)?(\d\d):(\d\d)[.,](\d{3})/g

const KEPT: ReadonlySet<string> = new Set(['model', 'usage', 'duration', 'meta', 'error'])
const MEASURED: ReadonlySet<string> = new Set(['data'])

/**
 * Reads a reply in one piece: the JSON of images, transcriptions and rankings; sound; text and subtitles; whatever comes from a path that is free.
 * What is no JSON object is passed on and measured.
 */
export class MediaBody implements ReplyReader {
  readonly form = 'json'
  readonly terminal = false
  readonly #api: MediaApi
  readonly #asked: Asked
  readonly #members = new MemberReader({ kept: KEPT, measured: MEASURED })
  readonly #held = new HeldTail()
  #tail: Buffer = Buffer.alloc(0)
  #bytes = 0
  #whole = false

  constructor(options: { readonly api: MediaApi; readonly asked: Asked }) {
    this.#api = options.api
    this.#asked = options.asked
  }

  push(chunk: Buffer): Step {
    this.read(chunk)
    return this.#held.push(chunk)
  }

  read(chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#api === 'free') return
    if (!this.#members.broken && !this.#members.closed) this.#members.push(chunk)
    if (this.#api === 'transcriptions') this.#tail = Buffer.concat([this.#tail, chunk.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES)
  }

  digest(): void {
    // Nothing waits.
  }

  end(how: ReplyEnd = 'whole'): Step {
    this.#whole = how === 'whole'
    return this.#held.end()
  }

  get observation(): Observation {
    const members = this.#members
    const model = members.value('model')
    const error = members.value('error')
    const data = members.members.get('data')
    const usage = readMediaUsage(this.#api, {
      usage: members.members.has('usage') ? (members.value('usage') ?? 'too long') : undefined,
      duration: members.value('duration'),
      meta: members.value('meta'),
    })
    return {
      api: this.#api,
      form: 'json',
      asked: this.#asked,
      model: typeof model === 'string' ? model : undefined,
      finishReason: undefined,
      bytes: this.#bytes,
      usage: usage.tokens,
      final: true,
      blocks: [],
      deltas: 0,
      contentBytes: 0,
      choices: 0,
      limited: 0,
      failed: error !== undefined && error !== null && data === undefined,
      whole: this.#whole,
      media: { usage, images: members.broken ? undefined : data?.elements, endMs: members.broken ? lastCueMs(this.#tail) : undefined },
    }
  }
}

function lastCueMs(tail: Buffer): number | undefined {
  const last = [...tail.toString('latin1').matchAll(CUE_END)].at(-1)
  if (last === undefined) return undefined
  const [, hours = '0', minutes = '0', seconds = '0', ms = '0'] = last
  return ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(ms)
}

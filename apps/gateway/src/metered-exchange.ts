import type { Clock, Logger } from '@ascribe/kit'
import { errorChain } from '@ascribe/kit'
import type { Drain, Exchange, Failure, FailureKind, RawHeaders, Reply, Sink } from '@ascribe/relay'
import { createReplyReader, settle } from '@ascribe/usage'
import type { Ending, Intent, MultipleChoices, Outcome, ReplyReader, RequestFacts } from '@ascribe/usage'
import type { RequestHold } from './admission-control.ts'
import type { BodyCapture } from './body-log/body-capture.ts'
import { createDecodedCopy, isEncoded } from './decoded-copy.ts'
import type { DecodedCopy } from './decoded-copy.ts'
import { failureReply } from './failure-reply.ts'
import { recordLabels } from './gateway-meters.ts'
import type { GatewayMeters } from './gateway-meters.ts'
import { withoutLimits } from './limit-headers.ts'
import { messagesError } from './messages-errors.ts'
import { createFramedBody, createOpaqueBody, readBody } from './reply-body.ts'
import type { ReplyBody } from './reply-body.ts'
import type { Attempts } from './routing/attempts.ts'
import type { RequestClaim } from './request-claims.ts'
import type { SilentStream } from './silent-streams.ts'
import type { RequestTerms } from './terms.ts'
import { clientHeaders } from './upstream-headers.ts'
import type { OpenRecord } from './usage-journal.ts'

export type MeteredExchangeOptions = {
  readonly intent: Intent
  readonly record: OpenRecord
  readonly facts: RequestFacts
  /** The wish for usage was spliced into the request: the event that answers it is ours alone. */
  readonly injected: boolean
  /** What the request holds of budgets and limits, if it has any: settled with the record. */
  readonly hold: RequestHold | undefined
  /** What becomes of it when its client leaves. */
  readonly terms: RequestTerms
  /** What it takes up until it has ended, if anything. */
  readonly claim: RequestClaim | undefined
  /** What becomes of it at the upstreams of its route, where there are several or they are looked after. */
  readonly attempts: Attempts | undefined
  readonly multipleChoices: MultipleChoices
  /** What is kept for the engine's tokenizer, where the route asks it about streams without usage. */
  readonly silent: SilentStream | undefined
  /** Keeps its bodies, where its terms say so and it is in the sample. */
  readonly bodies: BodyCapture | undefined
  readonly clock: Clock
  readonly meters: GatewayMeters
  readonly logger: Logger
}

/**
 * The life of one admitted request: passes the reply on while its usage is read, and settles its record exactly once,
 * on whatever way out. The settlement is asked for before the client's last byte, and that byte waits for it.
 */
export class MeteredExchange implements Exchange {
  readonly #options: MeteredExchangeOptions
  #status: number | undefined
  #firstByteMs: number | undefined
  #reader: ReplyReader | undefined
  #body: ReplyBody = readBody
  #copy: DecodedCopy | undefined
  #clientLeft = false
  /** Set once, when the settlement has been asked for. */
  #settled: Promise<void> | undefined
  /** The reply has ended one way or the other, and is settled when its copy has been decoded. */
  #settling: Promise<void> | undefined

  constructor(options: MeteredExchangeOptions) {
    this.#options = options
  }

  head(status: number, headers: RawHeaders): { readonly status: number; readonly headers: RawHeaders } {
    const { intent, facts, clock, meters } = this.#options
    this.#status = status
    this.#firstByteMs = Math.max(0, clock() - intent.startedAt)
    meters.firstByte.observe(this.#firstByteMs / 1000)
    this.#options.attempts?.headed(status)
    const { contentType, contentEncoding, contentLength } = bodyFields(headers)
    const encoded = isEncoded(contentEncoding)
    this.#options.bodies?.head(status, { contentType, isEncoded: encoded })
    const reader = createReplyReader({
      api: intent.api,
      asked: facts,
      streamedRequest: facts.streams,
      injected: this.#options.injected && !encoded,
      contentType,
      text: this.#options.silent?.text,
    })
    this.#reader = reader
    if (encoded) {
      this.#copy = createDecodedCopy(contentEncoding, (decoded) => reader.read(decoded))
      this.#body = createOpaqueBody()
    } else if (reader.form === 'json' && contentLength !== undefined) {
      this.#body = createFramedBody(contentLength)
    }
    // A stream is whole with its terminal event, whatever its upstream promised to send after it; and an event may be withheld.
    const passed = clientHeaders(headers, intent.requestId, { dropContentLength: reader.form === 'sse' })
    const limits = this.#options.hold?.headers()
    return { status, headers: limits === undefined ? passed : [...withoutLimits(passed), ...limits] }
  }

  data(chunk: Buffer, sink: Sink): void {
    const reader = this.#reader
    if (reader === undefined) return
    this.#options.bodies?.data(chunk)
    if (this.#copy !== undefined || this.#body !== readBody) {
      if (this.#copy === undefined) reader.read(chunk)
      else sink.barrier(this.#readCopy(this.#copy, chunk, reader))
      this.#body.data(chunk, NO_STEP, sink)
      return
    }
    const step = reader.push(chunk)
    this.#body.data(chunk, step, sink)
    // The client has its bytes: now there is time.
    reader.digest()
    if (!reader.terminal) return
    if (this.#settled === undefined) sink.barrier(this.#settle(this.#outcome()))
    for (const bytes of step.afterSettlement) sink.write(bytes)
  }

  end(sink: Sink): void {
    const copy = this.#copy
    if (copy !== undefined) {
      this.#settling = this.#settleCopy(copy, this.#outcome(), true)
      sink.barrier(this.#settling)
      this.#body.end(NO_STEP, sink)
      sink.end()
      return
    }
    const step = this.#reader?.end() ?? NO_STEP
    if (this.#settled === undefined) sink.barrier(this.#settle(this.#outcome()))
    this.#body.end(step, sink)
    sink.end()
  }

  fail(failure: Failure, sink: Sink): void {
    const { intent, hold, claim, logger, meters } = this.#options
    if (failure.kind === 'not_admitted') {
      hold?.release()
      claim?.release()
      this.#options.silent?.release()
      logger.error('request refused: its intent cannot be recorded', { eventId: intent.eventId, error: failure.cause })
      meters.refused.add(1, { reason: 'not_recorded' })
      sink.reply(this.#failed(failure.kind))
      return
    }
    if (this.#settled !== undefined) {
      // The terminal event has been passed on: the client has the whole reply, only its framing is left.
      sink.end()
      return
    }
    this.#options.attempts?.failed(failure.kind)
    const outcome = this.#failedOutcome(failure)
    // There was no reply, and the engine has been at work all the same.
    if (this.#isEstimated() && failure.sent) this.#reader ??= this.#readNothing()
    if (outcome !== 'aborted')
      logger.warn('upstream failed', { eventId: intent.eventId, route: intent.route, kind: failure.kind, cause: errorChain(failure.cause) })
    this.#settling = this.#copy === undefined ? this.#settleBroken(outcome) : this.#settleCopy(this.#copy, outcome, false)
    const settled = this.#settling
    if (this.#status !== undefined || this.#clientLeft) {
      settled.catch(() => {
        // Logged by the journal, which admits nothing more; the client gets a broken reply in any case.
      })
      // Nobody waits for the tokenizer here, but whoever closes the journal.
      if (this.#options.silent !== undefined) sink.barrier(settled)
      sink.reset()
      return
    }
    sink.barrier(settled)
    sink.reply(this.#failed(failure.kind))
  }

  #failed(kind: FailureKind): Reply {
    const { intent, hold } = this.#options
    const failed = failureReply(kind, intent.requestId)
    const reply = intent.api === 'messages' ? messagesError(failed) : failed
    const limits = hold?.headers()
    return limits === undefined ? reply : { ...reply, headers: [...reply.headers, ...limits] }
  }

  clientGone(): Drain {
    const { terms, claim } = this.#options
    this.#clientLeft = true
    if (this.#settled !== undefined) return NO_DRAIN
    claim?.clientGone()
    if (terms.abort !== 'drain') return NO_DRAIN
    const { tokens } = terms.drain
    if (tokens === undefined) return terms.drain
    const before = this.#tokens()
    return { ...terms.drain, exceeded: () => this.#tokens() - before > tokens }
  }

  /** Of a stream, as far as it has come: never more than there are. */
  #tokens(): number {
    return this.#reader?.observation.deltas ?? 0
  }

  #isEstimated(): boolean {
    return this.#clientLeft && this.#options.terms.abort === 'estimate'
  }

  #readNothing(): ReplyReader {
    const { intent, facts } = this.#options
    return createReplyReader({ api: intent.api, asked: facts, streamedRequest: facts.streams, injected: false, contentType: undefined })
  }

  /** Of a reply that came to its end. */
  #outcome(): Outcome {
    if (this.#status !== undefined && this.#status >= 400) return 'upstream_error'
    return this.#clientLeft ? 'aborted' : 'completed'
  }

  #failedOutcome(failure: Failure): Outcome {
    if (this.#clientLeft) return 'aborted'
    if (failure.kind === 'shutdown') return 'interrupted'
    return this.#status === undefined ? 'upstream_error' : 'upstream_reset'
  }

  /** The client gets a compressed chunk when we know what is in it: the terminal event waits for the settlement there too. */
  async #readCopy(copy: DecodedCopy, chunk: Buffer, reader: ReplyReader): Promise<void> {
    await copy.write(chunk)
    if (reader.terminal) await (this.#settled ?? this.#settling ?? this.#settle(this.#outcome()))
  }

  /** Settles once the copy has been decoded as far as it came. */
  async #settleCopy(copy: DecodedCopy, outcome: Outcome, whole: boolean): Promise<void> {
    const decoded = await copy.end()
    if (this.#settled === undefined) {
      this.#reader?.end(whole && decoded ? 'whole' : 'broken')
      void this.#settle(outcome)
    }
    await this.#settled
  }

  #settleBroken(outcome: Outcome): Promise<void> {
    // Usage may stand in an event that lacks only its end.
    this.#reader?.end('broken')
    return this.#settle(outcome)
  }

  #settle(outcome: Outcome): Promise<void> {
    const { intent, silent, clock } = this.#options
    // A clock that is set back must not make a request end before it began.
    const endedAt = Math.max(intent.startedAt, clock())
    const counting = outcome === 'interrupted' ? silent?.release() : silent?.count(this.#reader?.observation)
    this.#settled =
      counting === undefined ? this.#record(outcome, endedAt) : counting.then((tokenized) => this.#record(outcome, endedAt, tokenized))
    return this.#settled
  }

  #record(outcome: Outcome, endedAt: number, tokenized?: Ending['tokenized']): Promise<void> {
    const { intent, record, claim, multipleChoices, meters } = this.#options
    const ending: { -readonly [Name in keyof Ending]: Ending[Name] } = { outcome, endedAt, multipleChoices, tokenized }
    if (intent.api === 'free') ending.isFree = true
    if (this.#status !== undefined) ending.status = this.#status
    if (this.#firstByteMs !== undefined) ending.firstByteMs = this.#firstByteMs
    if (this.#isEstimated()) ending.isEstimated = true
    const own = settle(this.#reader?.observation, ending)
    const settlement = this.#options.attempts?.settlement(own) ?? own
    meters.records.add(1, recordLabels(settlement.outcome, settlement.provenance))
    this.#options.hold?.settle(intent, settlement)
    this.#options.bodies?.end(settlement.outcome)
    const durable = record.settle(settlement)
    return claim === undefined ? durable : claim.settle(settlement.outcome, durable)
  }
}

const NO_DRAIN: Drain = { ms: 0, bytes: 0 }
const NO_STEP = { now: [], afterSettlement: [] } as const

type BodyFields = { contentType: string | undefined; contentEncoding: string | undefined; contentLength: number | undefined }

function bodyFields(headers: RawHeaders): BodyFields {
  const fields: BodyFields = { contentType: undefined, contentEncoding: undefined, contentLength: undefined }
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? ''
    const value = headers[index + 1] ?? ''
    // The length tells most names apart without making another string.
    if (name.length === 12 && name.toLowerCase() === 'content-type') fields.contentType = value
    else if (name.length === 14 && name.toLowerCase() === 'content-length') fields.contentLength = Number(value)
    else if (name.length === 16 && name.toLowerCase() === 'content-encoding') fields.contentEncoding = value
  }
  return fields
}

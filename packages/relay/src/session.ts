import type { Logger } from '@ascribe/kit'
import { BodyBuffer } from './body-buffer.ts'
import type { BodyBudget } from './body-budget.ts'
import { RelayMisuseError } from './errors.ts'
import type { Listed, OpenSessions } from './open-sessions.ts'
import type { PendingCount } from './pending-count.ts'
import type { Client, ClientEvents, Refuse, Transport, UpstreamCall, UpstreamEvents } from './ports.ts'
import { ReplySink } from './reply-sink.ts'
import type { SinkOwner } from './reply-sink.ts'
import type { RelayTally } from './tally.ts'
import { Resends } from './resends.ts'
import type { Forward } from './resends.ts'
import type {
  Decision,
  Drain,
  Exchange,
  Failure,
  FailureKind,
  RawHeaders,
  Refusal,
  RequestHead,
  Resend,
  Setback,
  Verdict,
} from './types.ts'

/** What all sessions of one relay share. */
export type SessionContext = {
  readonly onRequest: (head: RequestHead) => Verdict
  readonly refuse: Refuse
  readonly transport: Transport
  readonly budget: BodyBudget
  readonly tally: RelayTally
  readonly logger: Logger
  /** Sessions with an exchange that has not ended. */
  readonly open: OpenSessions<Session>
  readonly openCount: PendingCount
  readonly barriers: PendingCount
  /** Lets go of a head that the body does not follow at once. */
  readonly flushSoon: (sink: ReplySink) => void
  /** Set when the grace of `close` is over: nothing new is admitted. */
  stopped: boolean
}

type Phase =
  /** Nobody has decided yet; the body may be coming. */
  | 'body'
  /** Forwarded, and the upstream has seen nothing. */
  | 'ready'
  /** The upstream has it. */
  | 'sent'
  /** `end` or `fail` was called, or there is nothing to call. */
  | 'done'

/** One request from its head to `end` or `fail`. Both ends of the relay report to it; it calls the {@link Exchange}. */
export class Session implements ClientEvents, UpstreamEvents, SinkOwner, Listed {
  listIndex = -1
  readonly #context: SessionContext
  readonly #client: Client
  #phase: Phase = 'body'

  #decide: ((body: Buffer) => Decision) | undefined
  #bodyBytesMax = 0
  readonly #body = new BodyBuffer()
  #heldBytes = 0

  #exchange: Exchange | undefined
  #sink: ReplySink | undefined
  #call: UpstreamCall | undefined
  /** What may have to be sent again; `undefined`: once is all, or it has come to that. */
  #again: Resends | undefined
  /** The upstream has the whole request. */
  #isWritten = false

  #clientClosed = false
  #clientHalfClosed = false
  /** The exchange has been told that its client left. */
  #gone = false
  #drainTimer: NodeJS.Timeout | undefined
  #drainBytesLeft = 0
  #drainExceeded: Drain['exceeded']
  /** Any upstream has been given the whole request. */
  #sent = false

  constructor(context: SessionContext, client: Client) {
    this.#context = context
    this.#client = client
  }

  /** Asks for the verdict and follows it. */
  start(): void {
    let verdict: Verdict
    if (this.#context.stopped) {
      this.#refuse('overloaded')
      return
    }
    try {
      verdict = this.#context.onRequest(this.#client.head)
    } catch (error) {
      this.#giveUp(error)
      return
    }
    if (verdict.kind === 'reply') {
      this.#phase = 'done'
      this.#client.reply(verdict.reply, false)
    } else if (this.#client.bodyBytes > verdict.bodyBytesMax) {
      this.#refuse('body_too_large')
    } else {
      this.#decide = verdict.decide
      this.#bodyBytesMax = verdict.bodyBytesMax
      if (this.#client.bodyBytes === 0) this.bodyEnd()
      else this.#client.readBody()
    }
  }

  /** The grace is over: ends whatever has not ended. */
  stop(): void {
    this.#fail('shutdown', undefined)
  }

  bodyChunk(chunk: Buffer): void {
    if (this.#phase !== 'body') return
    if (this.#heldBytes + chunk.length > this.#bodyBytesMax) {
      this.#refuse('body_too_large')
    } else if (this.#context.budget.take(chunk.length)) {
      this.#heldBytes += chunk.length
      this.#body.add(chunk)
    } else {
      this.#refuse('overloaded')
    }
  }

  bodyEnd(): void {
    if (this.#phase !== 'body' || this.#decide === undefined) return
    if (this.#context.stopped) {
      this.#refuse('overloaded')
      return
    }
    let decision: Decision
    try {
      decision = this.#decide(this.#body.take())
    } catch (error) {
      this.#giveUp(error)
      return
    }
    this.#decide = undefined
    if (decision.kind === 'forward') {
      this.#admit(decision)
      return
    }
    this.#phase = 'done'
    this.#release()
    this.#client.reply(decision.reply, false)
  }

  drained(): void {
    this.#sink?.drained()
  }

  left(closed: boolean): void {
    if (closed) this.#clientClosed = true
    else this.#clientHalfClosed = true
    if (this.#phase === 'body') {
      // A request that never became whole: there is nobody to tell.
      if (closed) {
        this.#phase = 'done'
        this.#release()
      }
      return
    }
    // Before the upstream has it, #admitted finds out. A reply that is whole can still reach one who only ended its side.
    const tell = this.#phase === 'sent' && !this.#gone && (closed || this.#sink?.ended !== true)
    this.#sink?.left(closed)
    if (tell) this.#clientGone()
  }

  sent(): void {
    this.#isWritten = true
    this.#sent = true
    if (this.#again?.outlastsSending !== true) this.#onceIsAll()
  }

  head(status: number, headers: RawHeaders): void {
    const exchange = this.#exchange
    const sink = this.#sink
    if (exchange === undefined || sink === undefined) return
    if (this.#again !== undefined) {
      if (this.#again.outlastsSending && this.#sendAgain(this.#again, { kind: 'status', status, headers })) return
      this.#onceIsAll()
    }
    try {
      sink.setHead(exchange.head(status, headers), headers)
    } catch (error) {
      this.#threw(error)
    }
  }

  headAlone(): void {
    if (this.#sink?.headSent === false) this.#context.flushSoon(this.#sink)
  }

  data(chunk: Buffer): void {
    const exchange = this.#exchange
    const sink = this.#sink
    if (exchange === undefined || sink === undefined) return
    try {
      exchange.data(chunk, sink)
    } catch (error) {
      this.#threw(error)
      return
    }
    if (!this.#gone) return
    this.#drainBytesLeft -= chunk.length
    if (this.#drainBytesLeft < 0 || this.#drainExceeded?.() === true) this.#fail('drain_exceeded', undefined)
  }

  end(): void {
    const exchange = this.#exchange
    const sink = this.#sink
    if (exchange === undefined || sink === undefined) return
    this.#phase = 'done'
    try {
      exchange.end(sink)
    } catch (error) {
      this.#report('an exchange threw', error)
    }
    if (!sink.ended) {
      this.misused('end() of an exchange did not end the sink')
      sink.reset()
    }
    this.#closed()
  }

  failed(kind: FailureKind, cause: unknown): void {
    if (this.#again !== undefined && this.#sendAgain(this.#again, { kind, cause, sent: this.#sent })) return
    this.#fail(this.#gone ? 'drain_exceeded' : kind, cause)
  }

  flow(open: boolean): void {
    if (open) this.#call?.resume()
    else this.#call?.pause()
  }

  barrier(pending: boolean): void {
    if (pending) this.#context.barriers.add()
    else this.#context.barriers.remove()
  }

  broken(cause: unknown): void {
    this.#context.tally.barrierRejected()
    this.#context.logger.error('a reply was reset: its barrier rejected', { error: cause })
  }

  misused(what: string): void {
    this.#report('a reply was reset: the relay was misused', new RelayMisuseError(`Cannot go on with a reply: ${what}`))
  }

  #admit(decision: Forward): void {
    this.#phase = 'ready'
    this.#exchange = decision.exchange
    this.#sink = new ReplySink(this.#client, this)
    this.#context.open.add(this)
    this.#context.openCount.add()
    decision.ready.then(
      () => this.#admitted(decision),
      (cause: unknown) => this.#fail('not_admitted', cause),
    )
  }

  #admitted(forward: Forward): void {
    // Ended by `stop` meanwhile.
    if (this.#phase !== 'ready') return
    this.#phase = 'sent'
    if (this.#clientClosed) {
      // Whatever the drain's bounds say: nothing has been asked for yet, so there is no usage to wait for.
      this.#tellGone()
      this.#fail('drain_exceeded', undefined)
      return
    }
    if (forward.retry !== undefined) this.#again = new Resends(forward, forward.retry, (message, error) => this.#report(message, error))
    this.#send(forward, forward)
    if (this.#clientHalfClosed && this.#stillOpen()) this.#clientGone()
  }

  #send(forward: Forward, { upstream, target, headers }: Resend): void {
    const turn = this.#again?.count
    const call = this.#context.transport.send(
      { upstream, method: forward.method, target, headers, knownHeaders: this.#client.head.headers, body: forward.body },
      this,
    )
    // It may have failed before it was handed back, and have been sent elsewhere: that one is the call then.
    if (turn === this.#again?.count) this.#call = call
  }

  /** Sends the request elsewhere if there is where. Then the upstream before has been given up, and the client has been told nothing. */
  #sendAgain(again: Resends, setback: Setback): boolean {
    if (this.#phase !== 'sent' || this.#context.stopped) return false
    const resend = again.next(setback)
    if (resend === undefined) return false
    this.#call?.abort()
    this.#call = undefined
    this.#isWritten = false
    this.#send(again.forward, resend)
    return true
  }

  /** Where it is now it stays: nothing holds its body for another upstream any more. */
  #onceIsAll(): void {
    this.#again = undefined
    if (this.#isWritten) this.#release()
  }

  #clientGone(): void {
    const drain = this.#tellGone()
    // Who has not been asked yet is not asked for nobody.
    if (this.#call?.waits === true || drain === undefined || drain.ms <= 0 || drain.bytes <= 0) {
      this.#fail('drain_exceeded', undefined)
      return
    }
    this.#drainBytesLeft = drain.bytes
    this.#drainExceeded = drain.exceeded
    this.#drainTimer = setTimeout(() => this.#fail('drain_exceeded', undefined), drain.ms)
  }

  #tellGone(): Drain | undefined {
    this.#gone = true
    this.#onceIsAll()
    this.#context.tally.clientGone()
    try {
      return this.#exchange?.clientGone()
    } catch (error) {
      this.#report('an exchange threw', error)
      return undefined
    }
  }

  #fail(kind: FailureKind, cause: unknown): void {
    if (!this.#stillOpen()) return
    const exchange = this.#exchange
    const sink = this.#sink
    if (exchange === undefined || sink === undefined) return
    this.#phase = 'done'
    this.#context.tally.failed(kind)
    this.#call?.abort()
    const failure: Failure = { kind, cause, sent: this.#sent }
    try {
      exchange.fail(failure, sink)
    } catch (error) {
      this.#report('an exchange threw', error)
    }
    if (!sink.ended) sink.reset()
    this.#closed()
  }

  #threw(error: unknown): void {
    this.#report('an exchange threw', error)
    this.#sink?.reset()
    this.#fail('reply_reset', error)
  }

  #closed(): void {
    clearTimeout(this.#drainTimer)
    this.#again = undefined
    this.#release()
    this.#exchange = undefined
    this.#context.open.remove(this)
    this.#context.openCount.remove()
  }

  #stillOpen(): boolean {
    return this.#phase === 'ready' || this.#phase === 'sent'
  }

  /** Gives the body's bytes back to the budget. */
  #release(): void {
    if (this.#heldBytes === 0) return
    this.#context.budget.give(this.#heldBytes)
    this.#heldBytes = 0
    this.#body.clear()
  }

  #refuse(refusal: Refusal): void {
    this.#phase = 'done'
    this.#release()
    this.#decide = undefined
    this.#client.reply(this.#context.refuse(refusal), true)
  }

  #giveUp(error: unknown): void {
    this.#report('deciding about a request threw', error)
    this.#phase = 'done'
    this.#release()
    this.#client.reset()
  }

  #report(message: string, error: unknown): void {
    this.#context.tally.fault()
    this.#context.logger.error(message, { error })
  }
}

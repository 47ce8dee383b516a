import type { Client } from './ports.ts'
import type { RawHeaders, Reply, Sink } from './types.ts'

/** Bytes that may wait behind a barrier before the upstream is paused. */
const QUEUED_BYTES_MAX = 262_144

/** What the sink needs to be told by, and tells to, the request it belongs to. */
export type SinkOwner = {
  /** The upstream may send (true) or not (false). */
  flow(open: boolean): void
  /** A barrier began (true) or is done with (false). */
  barrier(pending: boolean): void
  /** A barrier's promise rejected; the client's connection has been reset. */
  broken(cause: unknown): void
  /** The sink was used against its rules; the client's connection has been reset. */
  misused(what: string): void
}

type Step =
  | { readonly kind: 'write'; readonly chunk: Buffer }
  | { readonly kind: 'barrier'; readonly until: Promise<void> }
  | { readonly kind: 'reply'; readonly reply: Reply }
  | { readonly kind: 'end' }

const END: Step = { kind: 'end' }
/** Never added to: a queue that is. */
const NO_STEPS: Step[] = []

/** Orders what a client gets: steps wait behind barriers, and the upstream waits for a client that does not keep up. */
export class ReplySink implements Sink {
  readonly #client: Client
  readonly #owner: SinkOwner
  #queue: Step[] = NO_STEPS
  #queuedBytes = 0
  #behindBarrier = false
  #clientFull = false
  #flowing = true
  /** Bytes that the head promised and that have not been written; -1: the head promised nothing. */
  #bytesLeft = -1
  #started = false
  #ended = false
  #dead = false
  /** The client has left, or only seems to have: it never holds anything up again. */
  #gone = false

  constructor(client: Client, owner: SinkOwner) {
    this.#client = client
    this.#owner = owner
  }

  get headSent(): boolean {
    return this.#client.headSent
  }

  /** Whether the reply is whole or the connection broken: nothing more will come. */
  get ended(): boolean {
    return this.#ended || this.#dead
  }

  get behindBarrier(): boolean {
    return this.#behindBarrier
  }

  /** `known`: the upstream's own fields, as they were read. */
  setHead(head: { readonly status: number; readonly headers: RawHeaders }, known: RawHeaders): void {
    if (this.#dead) return
    this.#bytesLeft = this.#client.setHead(head.status, head.headers, known)
    this.#started = true
  }

  /** Hands over a head that no byte of the body has taken along, unless a barrier holds everything. */
  flushHead(): void {
    if (!this.#dead && !this.#behindBarrier && !this.headSent) this.#client.flush()
  }

  write(chunk: Buffer): void {
    if (this.#dead || chunk.length === 0) return
    if (this.#ended) {
      this.#misused('write() came after the end of the reply')
      return
    }
    if (!this.#started) {
      this.#misused('write() came before the head of the reply')
      return
    }
    if (!this.#behindBarrier) {
      this.#put(chunk)
      return
    }
    this.#queue.push({ kind: 'write', chunk })
    this.#queuedBytes += chunk.length
    if (this.#queuedBytes > QUEUED_BYTES_MAX) this.#reflow()
  }

  barrier(until: Promise<void>): void {
    if (this.#dead) this.#watch(until)
    else if (this.#behindBarrier) this.#queue.push({ kind: 'barrier', until })
    else this.#wait(until)
  }

  end(): void {
    if (this.#dead || this.#ended) return
    this.#ended = true
    if (this.#behindBarrier) this.#queue.push(END)
    else this.#finish(undefined)
  }

  reply(reply: Reply): void {
    if (this.#dead) return
    if (this.headSent || this.#ended) {
      this.#misused('reply() came after a reply had begun')
      return
    }
    this.#started = true
    this.#ended = true
    if (this.#behindBarrier) this.#queue.push({ kind: 'reply', reply })
    else this.#client.reply(reply, false)
  }

  reset(): void {
    if (this.#dead) return
    this.#dead = true
    this.#client.reset()
    this.#clear()
  }

  /** There is room at the client again. */
  drained(): void {
    this.#clientFull = false
    this.#reflow()
  }

  /** The client has left (`closed`), or has ended its side and may still be reading. */
  left(closed: boolean): void {
    this.#gone = true
    if (closed) {
      this.#dead = true
      this.#clear()
    } else if (this.#clientFull) this.reset()
    this.#reflow()
  }

  #put(chunk: Buffer): void {
    if (!this.#counts(chunk)) return
    if (this.#client.write(chunk)) return
    if (this.#gone) {
      // It ended its side and does not take what comes: it has gone indeed.
      this.reset()
      return
    }
    this.#clientFull = true
    this.#reflow()
  }

  #finish(last: Buffer | undefined): void {
    if (last !== undefined && !this.#counts(last)) return
    if (!this.#started || this.#bytesLeft > 0) {
      this.#misused(this.#started ? `end() came ${this.#bytesLeft} bytes before the promised length` : 'end() came before a head')
      return
    }
    this.#client.end(last)
  }

  /** A reply whose framing does not hold would let the client read the next one wrong. */
  #counts(chunk: Buffer): boolean {
    if (this.#bytesLeft < 0) return true
    if (chunk.length > this.#bytesLeft) {
      this.#misused('write() exceeds the promised length')
      return false
    }
    this.#bytesLeft -= chunk.length
    return true
  }

  #wait(until: Promise<void>): void {
    this.#behindBarrier = true
    this.#queue = []
    this.#owner.barrier(true)
    until.then(
      () => this.#passed(),
      (cause: unknown) => this.#broken(cause),
    )
  }

  #passed(): void {
    this.#behindBarrier = false
    const queue = this.#queue
    this.#queue = NO_STEPS
    this.#queuedBytes = 0
    for (let i = 0; i < queue.length && !this.#dead; i += 1) {
      const step = queue[i]
      if (step?.kind === 'barrier') {
        this.#wait(step.until)
        this.#requeue(queue, i + 1)
        break
      }
      // The last chunk and the end are one system call.
      if (step?.kind === 'write' && queue[i + 1] === END) {
        this.#finish(step.chunk)
        break
      }
      if (step?.kind === 'write') this.#put(step.chunk)
      else if (step?.kind === 'reply') this.#client.reply(step.reply, false)
      else if (step?.kind === 'end') this.#finish(undefined)
    }
    this.#owner.barrier(false)
    // A head without a body yet has waited for the barrier alone.
    if (!this.#ended) this.flushHead()
    this.#reflow()
  }

  #requeue(queue: readonly Step[], from: number): void {
    for (let i = from; i < queue.length; i += 1) {
      const step = queue[i]
      if (step === undefined) continue
      this.#queue.push(step)
      if (step.kind === 'write') this.#queuedBytes += step.chunk.length
    }
  }

  /** Nobody waits for it any more, but its end and its rejection still count. */
  #watch(until: Promise<void>): void {
    this.#owner.barrier(true)
    until.then(
      () => this.#owner.barrier(false),
      (cause: unknown) => {
        this.#owner.broken(cause)
        this.#owner.barrier(false)
      },
    )
  }

  #broken(cause: unknown): void {
    this.#behindBarrier = false
    this.reset()
    this.#owner.broken(cause)
    this.#owner.barrier(false)
    this.#reflow()
  }

  #misused(what: string): void {
    this.reset()
    this.#owner.misused(what)
  }

  #clear(): void {
    const queue = this.#queue
    this.#queue = NO_STEPS
    for (const step of queue) if (step.kind === 'barrier') this.#watch(step.until)
    this.#queuedBytes = 0
    this.#clientFull = false
  }

  #reflow(): void {
    const open = this.#gone || (!this.#clientFull && this.#queuedBytes <= QUEUED_BYTES_MAX)
    if (open === this.#flowing) return
    this.#flowing = open
    this.#owner.flow(open)
  }
}

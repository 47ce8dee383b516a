import type { Observation } from './observation.ts'

/** Bytes of the reply that a step gives out, in order. Views of what was pushed, or small copies of a few bytes of it. */
export type Step = {
  /** For the client, now. */
  readonly now: readonly Buffer[]
  /** For the client, once the settlement is durable. */
  readonly afterSettlement: readonly Buffer[]
}

/** Whether the reply came to its end, as its framing says. Default `whole`. */
export type ReplyEnd = 'whole' | 'broken'

/**
 * Reads the usage of one reply while its bytes pass. What `now` and `afterSettlement` give out, in that order over all steps, is
 * the reply, byte for byte, without the events that are withheld; how the reply is cut into chunks makes no difference to
 * that, nor to what is read. A caller that only reads (a decoded copy of a compressed reply) ignores the steps.
 *
 * - A stream: `now` is everything up to the terminal event, `data: [DONE]`; with that event {@link terminal} turns true and
 *   the rest comes as `afterSettlement`. Held back meanwhile: the start of a line that may become it (at most 75 bytes); and
 *   where usage was injected, an event that is not complete, up to 16 KiB.
 * - JSON: the last byte that is not white space, and what follows it, is held back for `end()`.
 *
 * Pushed chunks must not be written to afterwards. Memory: about 1 MiB for an event that comes in pieces, else a few KiB.
 */
export type ReplyReader = {
  readonly form: 'sse' | 'json'
  /** The terminal event of a stream has been seen: nobody waits for more, so it is time to settle. */
  readonly terminal: boolean
  /** What has been seen. Any time; complete after `end()`. */
  readonly observation: Observation
  push(chunk: Buffer): Step
  /** Reads what of the last chunk had no say in its step. Done before the next chunk in any case; until then that chunk is kept. */
  digest(): void
  /** As {@link push}, for a caller that has no use for the step: all the chunks of a reply go here, or none. */
  read(chunk: Buffer): void
  /**
   * No more will come: reads a last event that lacks its end. All that is left comes as `afterSettlement`. Called once, also
   * after a reply that broke off; then nobody wants the step.
   */
  end(how?: ReplyEnd): Step
}

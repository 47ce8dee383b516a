import { AscribeError } from '@ascribe/kit'
import type { Hold } from './types.ts'

/** A step found out that it cannot be taken now, before it changed anything. */
export class HoldError extends AscribeError {
  override readonly code = 'MACHINE_ON_HOLD'
  override readonly retryable = true
  readonly hold: Hold

  constructor(hold: Hold) {
    super(hold.message)
    this.hold = hold
  }
}

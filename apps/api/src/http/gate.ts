import type { Listener, RouteDef } from '@ascribe/contract'
import type { Caller } from '../handler.ts'
import type { Incoming } from './incoming.ts'
import type { RouteMatch } from './router.ts'

/** Who asks, and about whom: both known to be there. What they may is the next question. */
export type Established = {
  readonly caller: Caller
  readonly organizationId: string | undefined
  /** Further headers of the answer, whatever it is. */
  readonly headers?: Readonly<Record<string, string>>
}

/** What makes one listener differ from another. Its functions are called in this order, and each may throw a `Refusal`. */
export type Gate = {
  readonly listener: Listener
  /** On every answer to this request, refusals too. Must not throw. */
  replyHeaders(incoming: Incoming): Readonly<Record<string, string>>
  /** Before any work: methods and origins. */
  admit(incoming: Incoming, match: RouteMatch | undefined): void
  /** The answer to OPTIONS. */
  optionsHeaders(incoming: Incoming, match: RouteMatch | undefined): Readonly<Record<string, string>>
  establish(incoming: Incoming, def: RouteDef, params: Readonly<Record<string, string>>): Promise<Established>
  /** Whether they may: from here on a refusal leaves a line. */
  authorize(established: Established, def: RouteDef, incoming: Incoming): Promise<Established>
  /** Asked again before each part of a stream: what may end while it is sent. Throws when it has. */
  stillMay?(established: Established): Promise<void>
}

/**
 * What an engine was found to do.
 * - `ok`: as its API says, and its numbers hold.
 * - `misreports`: it says or does something else than its API says.
 * - `silent`: it does the work and does not say how much it was.
 * - `absent`: it does not offer this; nothing is lost.
 * - `unclear`: it could not be told.
 */
export type Verdict = 'ok' | 'misreports' | 'silent' | 'absent' | 'unclear'

/** Settings of a route, under the names of the configuration. */
export type RouteAdvice = Readonly<Record<string, string | boolean | readonly string[]>>

export type Finding = {
  readonly capability: string
  readonly verdict: Verdict
  /** What was seen, with its numbers. */
  readonly detail: string
  /** What follows from it for whoever meters this engine. */
  readonly means?: string
  /** What the engine's route should say. */
  readonly settings?: RouteAdvice
}

/** Whether it costs somebody money, or breaks a client. */
export function isFault({ verdict }: Finding): boolean {
  return verdict === 'misreports' || verdict === 'silent'
}

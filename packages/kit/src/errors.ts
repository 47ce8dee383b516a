/** Options of every {@link AscribeError}: the standard `cause`, and nothing that could carry a secret. */
export type AscribeErrorOptions = { readonly cause?: unknown }

/**
 * An operation that failed for a reason outside the program: input, configuration, a peer, a disk.
 * Subclasses set a stable `code` (`AREA_WHAT`, listed in docs/errors.md) that callers may branch on.
 * Messages read "Cannot X: Y", hold the offending value, and never a secret.
 */
export abstract class AscribeError extends Error {
  /** Stable, upper-case, `AREA_WHAT`. */
  abstract readonly code: string
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean = false

  constructor(message: string, options: AscribeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
  }
}

/** The input of a person or a program cannot be used as it stands. `hint` says how to mend it. */
export class InputError extends AscribeError {
  override readonly code: string = 'INPUT_INVALID'
  /** One sentence that says what to do about it; printed on a line of its own. */
  readonly hint: string | undefined

  constructor(message: string, options: AscribeErrorOptions & { readonly hint?: string } = {}) {
    super(message, options)
    this.hint = options.hint
  }
}

/** An error that came from elsewhere, wrapped so that it has a code. */
export class UnexpectedError extends AscribeError {
  override readonly code = 'UNEXPECTED'
}

/** Turns whatever was thrown into an {@link AscribeError}; the original is its `cause`. */
export function toAscribeError(thrown: unknown): AscribeError {
  if (thrown instanceof AscribeError) return thrown
  if (thrown instanceof Error) return new UnexpectedError(thrown.message, { cause: thrown })
  return new UnexpectedError(`Cannot go on: ${String(thrown)} was thrown`, { cause: thrown })
}

/** The `message` of an error and of every cause below it, joined by ": ", each said once. For a single log line. */
export function errorChain(thrown: unknown): string {
  const messages: string[] = []
  let current: unknown = thrown
  for (let depth = 0; depth < 10 && current !== undefined && current !== null; depth += 1) {
    const message = current instanceof Error ? current.message || current.name : textOf(current)
    const last = messages.at(-1)
    // "… at port 80: ECONNREFUSED" over "ECONNREFUSED: connection refused" would say the code twice.
    const code = `: ${message.split(':', 1)[0] ?? ''}`
    if (last?.endsWith(code) === true) messages[messages.length - 1] = last.slice(0, -code.length)
    if (last === undefined || !last.includes(message)) messages.push(message)
    current = current instanceof Error ? current.cause : undefined
  }
  return messages.join(': ')
}

function textOf(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown
  // Whatever it is, saying so must not throw, and must not print what may be a secret inside it.
  return thrown === null || typeof thrown !== 'object' ? `${typeof thrown} was thrown` : Object.prototype.toString.call(thrown)
}

/** The `code` of a Node or database error (`ENOSPC`, `ECONNREFUSED`, `23505`), if it has one. */
export function errorCode(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return undefined
  return typeof thrown.code === 'string' ? thrown.code : undefined
}

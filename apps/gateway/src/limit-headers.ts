import type { LimitState, LimitStates } from '@ascribe/admission'
import type { RawHeaders } from '@ascribe/relay'

/** The fields by which OpenAI's clients know their limits. */
const KINDS = ['requests', 'tokens'] as const
const PREFIX = 'x-ratelimit-'

/**
 * `x-ratelimit-limit-*` for a minute and all gateways, `-remaining-*` what this gateway lets through at once, `-reset-*` until its share is
 * whole again, written as OpenAI does: `120ms`, `1.5s`, `6m0s`.
 */
export function limitHeaders(states: LimitStates): RawHeaders {
  return KINDS.flatMap((kind) => {
    const state = states[kind]
    return state === undefined ? [] : fieldsOf(kind, state)
  })
}

function fieldsOf(kind: string, { limit, remaining, resetMs }: LimitState): string[] {
  return [
    `${PREFIX}limit-${kind}`,
    String(limit),
    `${PREFIX}remaining-${kind}`,
    String(remaining),
    `${PREFIX}reset-${kind}`,
    formatDuration(resetMs),
  ]
}

/** Fields without the limits that the upstream has with somebody else. */
export function withoutLimits(headers: RawHeaders): string[] {
  const kept: string[] = []
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? ''
    if (name.length > PREFIX.length && name.slice(0, PREFIX.length).toLowerCase() === PREFIX) continue
    kept.push(name, headers[index + 1] ?? '')
  }
  return kept
}

/** When to come back: in whole seconds, rounded up, as RFC 9110 section 10.2.3 has it, and exactly, as OpenAI's clients prefer it. */
export function retryHeaders(ms: number): RawHeaders {
  const exact = Math.max(1, Math.ceil(ms))
  return ['retry-after', String(Math.ceil(exact / 1000)), 'retry-after-ms', String(exact)]
}

/** A duration in the form of Go, which OpenAI's headers have. */
export function formatDuration(ms: number): string {
  const whole = Math.ceil(ms)
  if (whole < 1000) return `${whole}ms`
  const seconds = whole / 1000
  if (seconds < 60) return `${Number(seconds.toFixed(3))}s`
  const minutes = Math.floor(seconds / 60)
  return `${minutes}m${Number((seconds - minutes * 60).toFixed(3))}s`
}

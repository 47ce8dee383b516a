import type { LimitsLeft } from '@ascribe/admission'

/** Where a worker's first inherited socket is: after standard input, output and error, and the channel. */
export const FIRST_SOCKET = 4

/** What a worker begins with. */
export type Beginning = {
  /** Descriptors that it listens on. It has inherited more: those of others, which it may have to take over. */
  readonly listen: readonly number[]
  /** How many there are on the same port. */
  readonly workers: number
  /** What the worker whose place it takes had left of rate limits. */
  readonly limits?: LimitsLeft
  /** The engine that `ascribe up` was given, in place of the configured one for models without a route. */
  readonly upstream?: string
  /** The sandbox engine of `ascribe up`, in place of the configured ones. */
  readonly sandbox?: { readonly url: string; readonly models: readonly string[] }
}

/** What a worker is asked for, and answers with the same `id`. */
export type Question = 'metrics' | 'health' | 'limits'

export type ToWorker =
  | { readonly kind: 'begin'; readonly with: Beginning }
  | { readonly kind: 'ask'; readonly id: number; readonly what: Question }
  /** Listen on one more socket. */
  | { readonly kind: 'listen'; readonly fd: number }
  /** Read the configured routes again. */
  | { readonly kind: 'reread' }
  /** Accept nobody, cut nobody, and end when nobody is left. */
  | { readonly kind: 'retire' }
  /** End what is open within this time, then cut. */
  | { readonly kind: 'stop'; readonly graceMs: number }
  /** Cut now. */
  | { readonly kind: 'cut' }

export type FromWorker =
  | { readonly kind: 'ready'; readonly url: string }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }

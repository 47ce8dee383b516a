import { AscribeError, InputError } from '@ascribe/kit'

/** What went wrong, in the words of the API server (`reason` of a Status), or ours where there was no answer of it. */
export type KubeReason =
  | 'BadRequest'
  | 'Unauthorized'
  | 'Forbidden'
  /** There is no such object: said by the API server of this object, or of its namespace. */
  | 'NotFound'
  /** There is no such kind (yet): its CRD is not established. Says nothing about objects. */
  | 'NotServed'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Gone'
  | 'Expired'
  | 'Invalid'
  | 'TooManyRequests'
  | 'InternalError'
  | 'ServiceUnavailable'
  | 'Timeout'
  | 'ServerTimeout'
  | 'MethodNotAllowed'
  | 'UnsupportedMediaType'
  | 'RequestEntityTooLarge'
  /** No connection, or it broke. Whether the request did something is not known. */
  | 'Network'
  /** Our own deadline passed. Whether the request did something is not known. */
  | 'Deadline'
  /** An answer that no API server gives. */
  | 'Malformed'
  | (string & {})

export type KubeFault = {
  readonly reason: KubeReason
  /** Of HTTP; missing when there was no answer. */
  readonly status?: number
  /** The server's sentence, cut at 500 characters; names fields and limits, and for objects other than Secrets may repeat a value. */
  readonly message?: string
  /** `details.causes[].field` of a Status: which fields were refused, or are owned by others. */
  readonly fields?: readonly string[]
  /** How long the server asks us to stay away, in milliseconds. */
  readonly retryAfterMs?: number
}

/** A call of the Kubernetes API failed; `reason` says how. Holds no header and no body. */
export class KubeError extends AscribeError {
  override readonly code = 'KUBE_CALL_FAILED'
  override readonly retryable: boolean
  readonly reason: KubeReason
  readonly status: number | undefined
  readonly fields: readonly string[]
  readonly retryAfterMs: number | undefined

  constructor(operation: string, fault: KubeFault, options: { readonly cause?: unknown } = {}) {
    super(`Cannot ${operation}: ${fault.message ?? `the API server answered ${fault.status ?? fault.reason}`}`, options)
    this.reason = fault.reason
    this.status = fault.status
    this.fields = fault.fields ?? []
    this.retryAfterMs = fault.retryAfterMs
    this.retryable = RETRYABLE.has(fault.reason) || (fault.status !== undefined && fault.status >= 500)
  }
}

const RETRYABLE: ReadonlySet<KubeReason> = new Set<KubeReason>([
  'Conflict',
  'TooManyRequests',
  'InternalError',
  'ServiceUnavailable',
  'Timeout',
  'ServerTimeout',
  'Network',
  'Deadline',
  'Expired',
  'Gone',
  'NotServed',
])

/** Whether `thrown` is a {@link KubeError} of that reason. */
export function isKubeError(thrown: unknown, ...reasons: readonly KubeReason[]): thrown is KubeError {
  return thrown instanceof KubeError && (reasons.length === 0 || reasons.includes(thrown.reason))
}

/** The kubeconfig, a token file or an authentication plugin cannot be used; nothing was sent. */
export class KubeConfigError extends InputError {
  override readonly code = 'KUBE_CONFIG_INVALID'
}

/**
 * Reconciling again will not help until somebody changes something: the controller counts it, logs it once and does not try again
 * by itself. Set a condition first.
 */
export class TerminalError extends AscribeError {
  override readonly code = 'KUBE_RECONCILE_TERMINAL'
}

/** The lease is not ours for long enough: nothing may be sent to the cloud any more. */
export class FencedError extends AscribeError {
  override readonly code = 'KUBE_FENCED'
  override readonly retryable = true
}

/** The lease was lost, or this process stood still for so long that it may have been: it has to end. */
export class LeadershipLostError extends AscribeError {
  override readonly code = 'KUBE_LEADERSHIP_LOST'
}

/** Caches were not filled in time; the process should end and be started again. */
export class CacheSyncError extends AscribeError {
  override readonly code = 'KUBE_CACHE_NOT_SYNCED'
  override readonly retryable = true
}

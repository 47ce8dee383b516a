import { KubeError } from '../errors.ts'
import type { KubeFault, KubeReason } from '../errors.ts'

/** A Status message may repeat what was sent; this much of it says what is wrong. */
const MESSAGE_MAX = 500
const FIELDS_MAX = 20

const REASON_OF_STATUS: Readonly<Record<number, KubeReason>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}

/** What a meta/v1 Status says, taken from an answer with an error status or from an ERROR event of a watch. */
export function faultOfStatus(
  body: unknown,
  facts: { readonly status?: number; readonly retryAfter?: string | undefined } = {},
): KubeFault {
  const isStatus = isRecord(body) && body['kind'] === 'Status'
  const said = isStatus ? body : {}
  const details = isRecord(said['details']) ? said['details'] : {}
  const status = facts.status ?? (typeof said['code'] === 'number' ? said['code'] : undefined)
  // A path that no kind is served at is answered in plain text: the object may exist all the same, once its CRD is served again.
  const unnamed = status === 404 && !isStatus ? 'NotServed' : REASON_OF_STATUS[status ?? 0]
  const reason = textOf(said['reason']) ?? unnamed ?? 'Malformed'
  const message = textOf(said['message'])
  const retryAfterMs = secondsToMs(facts.retryAfter) ?? secondsToMs(details['retryAfterSeconds'])
  const causes = Array.isArray(details['causes']) ? details['causes'] : []
  const fields = causes.flatMap((cause) => (isRecord(cause) ? (textOf(cause['field']) ?? []) : [])).slice(0, FIELDS_MAX)
  return {
    reason,
    fields,
    ...(status !== undefined && { status }),
    ...(message !== undefined && { message: message.slice(0, MESSAGE_MAX) }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  }
}

/** The error for an answer that is no success. */
export function errorOfAnswer(operation: string, answer: { status: number; text: string; retryAfter: string | undefined }): KubeError {
  return new KubeError(operation, faultOfStatus(parseJson(answer.text), { status: answer.status, retryAfter: answer.retryAfter }))
}

/** `undefined` for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** A server may ask for an hour at most; more is a mistake, and less than nothing too. */
const RETRY_AFTER_S_MAX = 3600

function secondsToMs(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && /^\d{1,6}$/.test(value) ? Number(value) : value
  if (typeof seconds !== 'number' || !(seconds > 0)) return undefined
  return Math.min(seconds, RETRY_AFTER_S_MAX) * 1000
}

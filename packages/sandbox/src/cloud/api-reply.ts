import type { Reply } from '../oauth/http.ts'
import type { ErrorShape } from './knobs.ts'

export type ErrorType = 'validation' | 'notexist' | 'backend' | 'permission' | 'database' | 'concurrency' | 'billing' | 'payment'

export const JSON_HEADERS: Readonly<Record<string, string>> = { 'Content-Type': 'application/json; charset=utf-8' }

/** An error of API 2.0, thrown through the handlers and turned into a reply at their edge. */
export class ApiRefusal extends Error {
  readonly status: number
  readonly errorType: ErrorType
  readonly point: string | null
  readonly retryAfterS: number | undefined

  constructor(status: number, errorType: ErrorType, message: string, more: { point?: string; retryAfterS?: number } = {}) {
    super(message)
    this.status = status
    this.errorType = errorType
    this.point = more.point ?? null
    this.retryAfterS = more.retryAfterS
  }
}

/** A required field is absent. */
export const missingField = (field: string): ApiRefusal => new ApiRefusal(400, 'validation', 'This field is required', { point: field })
export const invalidField = (field: string, message: string): ApiRefusal => new ApiRefusal(400, 'validation', message, { point: field })
export const notExist = (uuid: string): ApiRefusal => new ApiRefusal(404, 'notexist', `Object with uuid ${uuid} does not exist`)

/** 403 in its form for missing rights: the user sees the object's id, and learns that it exists. */
export const lacksPermission = (userUuid: string, permission: string, uuid: string): ApiRefusal =>
  new ApiRefusal(
    403,
    'permission',
    `User ${userUuid} does not have all of the permissions [${permission}] in order to complete the operation on resources [${uuid}]`,
  )

export type StateClash = { readonly uuid: string; readonly target: string; readonly expected: string; readonly current: string }

/** 403 in its form for a wrong state, with the same `error_type`. `target` is where the action would lead. */
export const wrongState = ({ uuid, target, expected, current }: StateClash): ApiRefusal =>
  new ApiRefusal(
    403,
    'permission',
    `Error attempting to put '${uuid}' in state '${target}'. It should be in state '${expected}', not '${current}'.`,
  )

export function refusalReply(refusal: ApiRefusal, shape: ErrorShape): Reply {
  const retry: Record<string, string> = refusal.retryAfterS === undefined ? {} : { 'Retry-After': String(refusal.retryAfterS) }
  if (shape === 'html') {
    const page = gatewayPage(refusal.status)
    return { ...page, headers: { ...page.headers, ...retry } }
  }
  const error = { error_type: refusal.errorType, error_message: refusal.message, error_point: refusal.point }
  const challenge: Record<string, string> = refusal.status === 401 ? { 'WWW-Authenticate': 'Basic realm="users"' } : {}
  return { status: refusal.status, headers: { ...JSON_HEADERS, ...challenge, ...retry }, body: shape === 'array' ? [error] : error }
}

const REASONS: Readonly<Record<number, string>> = {
  404: 'Not Found',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Temporarily Unavailable',
  504: 'Gateway Time-out',
}

/** What a gateway in front of the API answers: HTML, whatever was asked for. */
export function gatewayPage(status: number): Reply {
  const title = `${status} ${REASONS[status] ?? 'Error'}`
  return {
    status,
    headers: { 'Content-Type': 'text/html' },
    body: `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n`,
  }
}

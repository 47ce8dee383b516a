import * as operations from '@ascribe/contract/operations'
import type { Sendable } from '@ascribe/contract/client'
import { MOCKS } from './mocks.ts'
import type { MockInput } from './mocks.ts'
import type { DevStateId } from './states.ts'

type Matcher = { readonly operation: Sendable; readonly pattern: RegExp; readonly names: readonly string[] }

const MATCHERS: readonly Matcher[] = Object.values(operations).map((operation: Sendable) => {
  const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
  return { operation, names, pattern: new RegExp(`^${operation.path.replaceAll(/\{\w+\}/g, '([^/]+)')}$`) }
})

const REQUEST_ID = '018f4d5e-7b6a-7c3d-8e9f-0a1b2c3d4e99'

type Refusal = { readonly status: number; readonly code: string; readonly message: string; readonly only?: RegExp }

/** What the API refuses in a state. `only`: of these operations; others answer. */
const REFUSALS: Partial<Record<DevStateId, Refusal>> = {
  partial: { status: 500, code: 'internal', message: 'Something failed.', only: /^getCosts$/ },
  'signed-out': { status: 401, code: 'unauthenticated', message: 'Sign in.' },
  'not-found': {
    status: 404,
    code: 'organization_not_found',
    message: 'There is no such organization.',
    only: /^(?!getMe|getActingSession)/,
  },
  limited: { status: 429, code: 'too_many_requests', message: 'Too many requests.', only: /^(?!getMe|getActingSession)/ },
  internal: { status: 500, code: 'internal', message: 'Something failed.', only: /^(?!getMe|getActingSession)/ },
  'audit-down': { status: 503, code: 'audit_unavailable', message: 'The trail cannot be written.', only: /^(?!getMe|getActingSession)/ },
  'no-session': { status: 403, code: 'acting_session_required', message: 'Say why you look.', only: /^getActingSession$/ },
  expired: {
    status: 403,
    code: 'acting_session_ended',
    message: 'Your acting session is over.',
    only: /^(?!getActingSession|search|start|end)/,
  },
  revoked: {
    status: 403,
    code: 'acting_session_ended',
    message: 'The customer has ended your access.',
    only: /^(?!getActingSession|search|start|end)/,
  },
  approval: {
    status: 403,
    code: 'approval_required',
    message: 'The customer has been asked.',
    only: /^(getActingSession|startActingSession)$/,
  },
  'no-role': { status: 404, code: 'organization_not_found', message: 'There is no such organization.', only: /^getActingSession$/ },
}

/** Answers what the API would, from mocks; everything else goes where it went. */
export function installMocks(state: DevStateId): void {
  const real = window.fetch.bind(window)
  window.fetch = async (target, init) => {
    const url = new URL(target instanceof Request ? target.url : target, location.href)
    const method = init?.method ?? 'GET'
    const found = MATCHERS.find(({ operation, pattern }) => operation.method === method && pattern.test(url.pathname))
    if (found === undefined)
      return state === 'offline' && url.pathname === '/healthz' ? Promise.reject(new TypeError('Failed to fetch')) : real(target, init)
    const values = found.pattern.exec(url.pathname)?.slice(1) ?? []
    const params = Object.fromEntries(found.names.map((name, index) => [name, decodeURIComponent(values[index] ?? '')]))
    return answer(found.operation, { state, params, query: url.searchParams, now: Date.now() }, init?.signal ?? undefined)
  }
}

async function answer({ operationId }: Sendable, input: MockInput, signal: AbortSignal | undefined): Promise<Response> {
  const { state } = input
  const isFrame = operationId === 'getMe' || operationId === 'getActingSession'
  if (state === 'offline') throw new TypeError('Failed to fetch')
  if (state === 'loading' && !isFrame)
    await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)))
  await new Promise((resolve) => setTimeout(resolve, state === 'slow' && !isFrame ? 6000 : 30))
  const refusal = REFUSALS[state]
  if (refusal !== undefined && (refusal.only ?? /./).test(operationId)) {
    const { status, code, message } = refusal
    return Response.json({ reason: 'mock', code, message, requestId: REQUEST_ID }, { status })
  }
  const mock = (MOCKS as Readonly<Record<string, ((asked: MockInput) => unknown) | undefined>>)[operationId]
  if (mock !== undefined) return Response.json(mock(input))
  return Response.json(
    { reason: 'mock', code: 'internal', message: `There is no mock of ${operationId}.`, requestId: REQUEST_ID },
    { status: 500 },
  )
}

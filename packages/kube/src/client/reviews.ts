import { isRecord } from '../connection/status.ts'
import type { KubeConnection } from '../connection/types.ts'
import { KubeError } from '../errors.ts'
import type { KubeClient } from './types.ts'

/** Questions to the API server that are asked by creating something that is never kept. */
export function reviewCalls(connection: KubeConnection): Pick<KubeClient, 'reviewAccess' | 'reviewToken'> {
  async function ask(kind: string, { path, spec }: { path: string; spec: object }, options: object): Promise<Record<string, unknown>> {
    const operation = `ask for a ${kind}`
    const [, , group, version] = path.split('/')
    const { body, status } = await connection.send({
      method: 'POST',
      path,
      operation,
      body: { apiVersion: `${group}/${version}`, kind, metadata: {}, spec },
      ...options,
    })
    const answer = isRecord(body) ? body['status'] : undefined
    if (!isRecord(answer)) throw new KubeError(operation, { reason: 'Malformed', status, message: 'the answer has no status' })
    return answer
  }

  return {
    async reviewAccess(spec, options = {}) {
      const answer = await ask('SubjectAccessReview', { path: '/apis/authorization.k8s.io/v1/subjectaccessreviews', spec }, callOf(options))
      return { allowed: answer['allowed'] === true, denied: answer['denied'] === true, reason: textOf(answer['reason']) }
    },
    async reviewToken(token, { audiences, ...options }) {
      const path = '/apis/authentication.k8s.io/v1/tokenreviews'
      const answer = await ask('TokenReview', { path, spec: { token, audiences } }, callOf(options))
      const user = isRecord(answer['user']) ? answer['user'] : {}
      const granted = texts(answer['audiences'])
      if (answer['authenticated'] !== true) return { authenticated: false, error: textOf(answer['error']) || 'the token is not valid' }
      // A server that does not know audiences answers none, and would let through tokens that are meant for itself.
      if (!granted.some((audience) => audiences.includes(audience)))
        return { authenticated: false, error: 'the token is meant for somebody else' }
      const extra = Object.entries(isRecord(user['extra']) ? user['extra'] : {}).map(([name, values]) => [name, texts(values)] as const)
      return {
        authenticated: true,
        user: {
          username: textOf(user['username']),
          uid: textOf(user['uid']),
          groups: texts(user['groups']),
          extra: Object.fromEntries(extra),
        },
        audiences: granted,
      }
    },
  }
}

function callOf({ signal, deadlineMs }: { readonly signal?: AbortSignal; readonly deadlineMs?: number }): object {
  return { ...(signal !== undefined && { signal }), ...(deadlineMs !== undefined && { deadlineMs }) }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}

import { randomBytes } from 'node:crypto'
import { at, isObject, textAt } from './json.ts'
import type { JsonObject } from './json.ts'
import { badRequest } from './refusal.ts'
import type { KubeUser } from './types.ts'
import { texts } from './writes.ts'

export const ADMIN: KubeUser = { name: 'admin', groups: ['system:masters', 'system:authenticated'] }
const OWN_AUDIENCE = 'https://kubernetes.default.svc'

export type Users = {
  token(user: KubeUser): string
  revoke(token: string): void
  /** Who sends it; `undefined`: nobody that is known, or it is meant for somebody else. */
  whose(token: string): KubeUser | undefined
  reviewToken(review: JsonObject): JsonObject
  reviewAccess(review: JsonObject): JsonObject
}

export function createUsers(access: (spec: JsonObject) => boolean): Users {
  const byToken = new Map<string, KubeUser>()
  return {
    token(user) {
      const token = `sandbox-${user.name.replaceAll(/[^a-z0-9]+/gi, '-')}-${randomBytes(12).toString('hex')}`
      byToken.set(token, user)
      return token
    },
    revoke: (token) => void byToken.delete(token),
    whose(token) {
      const user = byToken.get(token)
      return user?.audiences === undefined || user.audiences.includes(OWN_AUDIENCE) ? user : undefined
    },
    reviewToken(review) {
      const user = byToken.get(textAt(review, 'spec', 'token') ?? '')
      const asked = texts(at(review, ['spec', 'audiences']))
      const audiences = (user?.audiences ?? [OWN_AUDIENCE]).filter((each) => (asked.length === 0 ? [OWN_AUDIENCE] : asked).includes(each))
      if (user === undefined || audiences.length === 0) return { authenticated: false, error: 'invalid bearer token' }
      const { name, groups = [], uid = '', extra = {} } = user
      return {
        authenticated: true,
        user: { username: name, uid, groups: [...groups], extra: structuredClone(extra) as JsonObject },
        audiences,
      }
    },
    reviewAccess(review) {
      const spec = review['spec']
      if (!isObject(spec)) throw badRequest('a SubjectAccessReview has a spec')
      return { allowed: access(spec) }
    },
  }
}

export const mastersOnly = (spec: JsonObject): boolean => texts(spec['groups']).includes('system:masters')

import { authenticate } from './authenticate.ts'
import type { Authentication } from './authenticate.ts'
import type { Caller } from './handler.ts'
import type { Incoming } from './http/incoming.ts'

/** Who asks with an API key, and with nothing else. */
export function createKeyCaller(deps: Authentication): (incoming: Incoming) => Promise<Caller> {
  return async (incoming) => authenticate(deps, incoming.headers.authorization)
}

import type { Reply, RequestHead } from '@ascribe/relay'
import type { Endpoint } from './endpoints.ts'
import { modelReply, modelsReply } from './models.ts'
import { invalidRequest, notServed } from './replies.ts'

/** A reply that is made here; `reason`: it is a refusal, for the counter of those. */
export type OwnReply = { readonly reply: Reply; readonly reason?: string }

/** What is said at an endpoint whose requests go nowhere. */
export function endpointReply(endpoint: Exclude<Endpoint, { kind: 'forwarded' }>, head: RequestHead, models: readonly string[]): OwnReply {
  switch (endpoint.kind) {
    case 'models':
      return { reply: modelsReply(models) }
    case 'model':
      return { reply: modelReply(models, endpoint.id) }
    case 'refused':
      return { reason: endpoint.code, reply: notServed(endpoint.message, endpoint.code) }
    case 'unknown': {
      const message = `Unknown request URL: ${head.method} ${pathOf(head.target)}.`
      return { reason: 'unknown_path', reply: invalidRequest(message, { status: 404, code: 'unknown_url' }) }
    }
    case 'wrong_method': {
      const reply = invalidRequest(`Only ${endpoint.allow} is allowed here.`, { status: 405, code: 'method_not_allowed' })
      return { reason: 'wrong_method', reply: { ...reply, headers: [...reply.headers, 'allow', endpoint.allow] } }
    }
  }
}

function pathOf(target: string): string {
  return target.split('?', 1)[0]?.slice(0, 200) ?? ''
}

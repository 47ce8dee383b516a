import type { Api } from '@ascribe/usage'

/** What stands at a path. Anything that is not listed is refused until somebody decides about it. */
export type Endpoint =
  | { readonly kind: 'billable'; readonly api: Api; /** Below the upstream's `/v1`. */ readonly path: string; readonly query: string }
  | { readonly kind: 'models' }
  | { readonly kind: 'model'; readonly id: string }
  | { readonly kind: 'wrong_method'; readonly allow: string }
  | { readonly kind: 'unknown' }

const BILLABLE: ReadonlyMap<string, Api> = new Map([
  ['/v1/chat/completions', 'chat'],
  ['/v1/completions', 'completions'],
  ['/v1/embeddings', 'embeddings'],
  ['/v1/responses', 'responses'],
  ['/v1/messages', 'messages'],
])
const MODEL = /^\/v1\/models\/(.+)$/

/** Finds the rule for a request target. Paths are compared as they are: no decoding, no dot segments, no trailing slash. */
export function endpointOf(method: string, target: string): Endpoint {
  return originForm(method, target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?#]+/i, ''))
}

/** The absolute form (RFC 9112 section 3.2.2) has been taken down to this one: whose name is in it makes no difference here. */
function originForm(method: string, target: string): Endpoint {
  const mark = target.indexOf('?')
  const path = mark === -1 ? target : target.slice(0, mark)
  const api = BILLABLE.get(path)
  if (api !== undefined) {
    if (method !== 'POST') return { kind: 'wrong_method', allow: 'POST' }
    return { kind: 'billable', api, path: path.slice('/v1'.length), query: mark === -1 ? '' : target.slice(mark) }
  }
  const id = path === '/v1/models' ? undefined : MODEL.exec(path)?.[1]
  if (path !== '/v1/models' && id === undefined) return { kind: 'unknown' }
  if (method !== 'GET') return { kind: 'wrong_method', allow: 'GET' }
  return id === undefined ? { kind: 'models' } : { kind: 'model', id: decode(id) }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

import type { z } from 'zod'

/** Which of the three doors an operation is behind: customers', operators' (read-only), or that of the platform's automation. */
export type Listener = 'public' | 'internal' | 'admin'

export const LISTENERS: readonly Listener[] = ['public', 'internal', 'admin']

/**
 * Whom an operation is about.
 * - `organization`: exactly one. The caller's own or a child of it; on the internal listener the one that the request names.
 * - `operator`: the internal listener without an organization.
 * - `platform`: the admin listener.
 * - `sender`: whoever may report usage; a key or a token of the installation.
 * - `none`: anybody, and nobody's data.
 */
export type RouteSubject = 'organization' | 'operator' | 'platform' | 'sender' | 'none'

/** What an API key may be for; the same words as in the directory. */
export type KeyScope = 'inference' | 'billing:read' | 'usage:write'

/** What a user of an organization is. Who is `admin` may do what `viewer` may. */
export type UserRole = 'viewer' | 'admin'

/** What a credential of the platform may do on the admin listener. */
export type PlatformScope = 'platform:read' | 'platform:write'

/** A reply that is not JSON: streamed, or a file. */
export type StreamContent = { readonly stream: readonly string[] }

/**
 * One operation: everything that server, client, openapi.json and tests are made from. Who may call it is said here and nowhere else:
 * `needs.scope` opens it to API keys, `needs.role` to users, `needs.platform` to the platform's credentials; what is absent stays shut.
 * Operators reach what lists `internal`, if it is a GET.
 */
export type RouteDef<Params = unknown, Query = unknown, Body = unknown, Reply = unknown> = {
  readonly operationId: string
  readonly summary: string
  /** HEAD comes with GET. */
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** With `{name}` for a segment. `{id}` of a route about an organization is that organization. */
  readonly path: string
  readonly listeners: readonly Listener[]
  readonly subject: RouteSubject
  readonly needs: { readonly scope?: KeyScope; readonly role?: UserRole; readonly platform?: PlatformScope }
  readonly params: z.ZodType<Params, unknown>
  readonly query: z.ZodType<Query, unknown>
  /** Absent: the operation takes no body. */
  readonly body?: z.ZodType<Body, unknown>
  /** How the body comes. `form`: urlencoded, hence a simple request. `raw`: the handler gets bytes. Default `json`. */
  readonly bodyType?: 'json' | 'form' | 'raw'
  /** What it answers with; absent: 204. */
  readonly reply?: z.ZodType<Reply, unknown> | StreamContent
  /** Default 200, or 204 without a reply. */
  readonly status?: 200 | 201 | 202 | 204 | 302
  /** Other successes that the handler may choose: 204 of a batch without anything to tell, for example. */
  readonly alsoStatus?: readonly (200 | 201 | 204)[]
  /** Only of installations that switch it on; elsewhere its path is unknown. */
  readonly optional?: 'events' | 'login' | 'faults' | 'console'
  /** Of openapi.json only: media types of a `raw` body. */
  readonly bodyContent?: readonly string[]
}

/** Whether a reply is JSON of a schema. */
export function isJsonReply<Reply>(reply: RouteDef<unknown, unknown, unknown, Reply>['reply']): reply is z.ZodType<Reply, unknown> {
  return reply !== undefined && !('stream' in reply)
}

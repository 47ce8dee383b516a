import type { IncomingHttpHeaders } from 'node:http'
import type { KeyScope, PlatformScope, RouteDef, UserRole } from '@ascribe/contract'
import type { EmailEvidence } from '@ascribe/identity/jwt'
import type { OperatorPolicy } from '@ascribe/identity/teleport'
import type { Logger } from '@ascribe/kit'
import type { ActingSession, AuditEntry, EventSender, SignedHead } from '@ascribe/ledger'
import type { Database, Queryable } from '@ascribe/postgres'

/** Who is asking, proven. */
export type Caller =
  | { readonly kind: 'key'; readonly organizationId: string; readonly authId: string; readonly scopes: readonly KeyScope[] }
  | {
      readonly kind: 'user'
      /** `sub` of the issuer. */
      readonly subject: string
      readonly organizationId: string
      readonly role: UserRole
      readonly name?: string
      readonly email?: string
      /** Of an address that the identity provider has verified. */
      readonly evidence?: EmailEvidence
      /** A browser's cookie is sent by itself, so its writes want an `Origin`; a bearer token is not. */
      readonly via: 'bearer' | 'cookie'
    }
  | {
      readonly kind: 'operator'
      /** `sub` of a verified assertion. */
      readonly name: string
      readonly roles: readonly string[]
      /** The Teleport cluster: `iss` of the assertion. */
      readonly issuer: string
      readonly policy: OperatorPolicy
      /** Organizations that the request names beside its body: in a header, by its origin. What it does must be about these. */
      readonly named: readonly string[]
      /** Present whenever there is an organization. */
      readonly acting?: ActingSession
    }
  | { readonly kind: 'platform'; readonly credentialId: string; readonly scopes: readonly PlatformScope[] }
  | { readonly kind: 'sender'; readonly sender: EventSender }
  | { readonly kind: 'anonymous' }

/**
 * What a handler is given beside its input. It never writes headers, never audits and never checks tenancy: the registry does, from the
 * definition, before and after.
 */
export type RequestContext = {
  readonly caller: Caller
  /** The organization asked about, which the caller may see; `undefined` on routes that are about none. */
  readonly organizationId: string | undefined
  /** Of this request, a UUID; in the reply, the log and the trail. */
  readonly requestId: string
  /** Under the listener's own role. */
  readonly db: Database
  readonly logger: Logger
  /** Epoch milliseconds. */
  readonly clock: () => number
  /** For routes that read more than their body: login, ingest. Everybody else's input is parsed already. */
  readonly headers: IncomingHttpHeaders
  /** The same as they came: name, value, name, value. Only here a repeated one is seen. */
  readonly rawHeaders: readonly string[]
  /** Children whose data is in the reply: each gets a line in its own log before the body leaves. */
  readonly alsoAbout: (organizationIds: readonly string[]) => void
  /** What should stand in the trail beside path and query: ids and amounts, never a secret, never contents. */
  readonly note: (detail: Detail) => void
  /**
   * For a route that `auditsItself`: writes the line of this request in the transaction of its change, as the last statement of it, with the
   * status that will be answered. Throws: nothing has happened.
   */
  readonly auditIn: (tx: Queryable, line: ChangeLine) => Promise<void>
  /** The end of a log as it is now, signed; `undefined`: nothing is in it. */
  readonly signedHead: (organizationId: string) => Promise<SignedHead | undefined>
}

/** Ids and amounts. */
export type Detail = Readonly<Record<string, string | number | boolean>>

/** What a handler says of its change. */
export type ChangeLine = {
  readonly kind: AuditEntry['kind']
  /** About to be sent. */
  readonly status: number
  /** Whose log it is in. Default: the organization's that is asked about. */
  readonly organizationId?: string
  readonly act?: AuditEntry['act']
  readonly detail?: Detail
}

export type OrganizationContext = RequestContext & { readonly organizationId: string }

export type HandlerInput<Params, Query, Body> = { readonly params: Params; readonly query: Query; readonly body: Body }

/** Bytes on their way, whole or not at all: a fault cuts the connection. Their digest and rows go into the trail's second line. */
export class StreamReply {
  readonly contentType: string
  /** Of `Content-Disposition: attachment`. ASCII letters, digits, `.`, `-` and `_`. */
  readonly fileName: string | undefined
  readonly chunks: AsyncIterable<Uint8Array | string>
  /** Rows sent so far; asked at the end. */
  readonly rows: () => number

  constructor(fields: {
    readonly contentType: string
    readonly fileName?: string
    readonly chunks: AsyncIterable<Uint8Array | string>
    readonly rows: () => number
  }) {
    this.contentType = fields.contentType
    this.fileName = fields.fileName
    this.chunks = fields.chunks
    this.rows = fields.rows
  }
}

/** A reply that is not just 200 and JSON: another status, a redirect, a file, cookies. */
export class PlainReply {
  readonly status: number
  /** Sent as JSON, unless there is a `contentType`. `undefined`: no body. */
  readonly body: unknown
  readonly contentType: string | undefined
  readonly headers: Readonly<Record<string, string>>
  /** Whole `Set-Cookie` values. */
  readonly cookies: readonly string[]

  constructor(fields: {
    readonly status: number
    readonly body?: unknown
    readonly contentType?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly cookies?: readonly string[]
  }) {
    this.status = fields.status
    this.body = fields.body
    this.contentType = fields.contentType
    this.headers = fields.headers ?? {}
    this.cookies = fields.cookies ?? []
  }
}

export type HandlerReply<Reply> = Reply | StreamReply | PlainReply

export type Handler<Params, Query, Body, Reply> = (
  context: RequestContext,
  input: HandlerInput<Params, Query, Body>,
) => Promise<HandlerReply<Reply>>

export type OrganizationHandler<Params, Query, Body, Reply> = (
  context: OrganizationContext,
  input: HandlerInput<Params, Query, Body>,
) => Promise<HandlerReply<Reply>>

/** A definition with the function that answers it: one row of the table behind all listeners. */
export type Route = {
  readonly def: RouteDef
  /** Its handler writes the line of a change itself, with `auditIn`. */
  readonly auditsItself?: boolean
  /** About nobody's data: it leaves a line in the log only. */
  readonly leavesNoLine?: boolean
  /** A document, or the way to one: a browser may open it from any page (R17). */
  readonly isNavigation?: boolean
  /** What a page of ours is made of: nobody's data. */
  readonly isFile?: boolean
  readonly handle: (context: RequestContext, input: HandlerInput<unknown, unknown, unknown>) => Promise<unknown>
}

/** A row of the table. */
export function route<Params, Query, Body, Reply>(
  def: RouteDef<Params, Query, Body, Reply>,
  handler: Handler<Params, Query, Body, Reply>,
): Route {
  // The registry has parsed the input by the schemas of this very definition.
  return { def, handle: (context, input) => handler(context, input as HandlerInput<Params, Query, Body>) }
}

/** A row of the table that is about one organization: its handler gets the id for certain. */
export function organizationRoute<Params, Query, Body, Reply>(
  def: RouteDef<Params, Query, Body, Reply>,
  handler: OrganizationHandler<Params, Query, Body, Reply>,
): Route {
  return route(def, (context, input) => {
    const { organizationId } = context
    if (organizationId === undefined) throw new Error(`${def.operationId} was called without an organization`)
    return handler({ ...context, organizationId }, input)
  })
}

import type { IncomingHttpHeaders } from 'node:http'

/** A request, read whole. */
export type Call = {
  readonly method: string
  /** Without the query, as it came. */
  readonly path: string
  readonly query: URLSearchParams
  /** `Host` as it came: who is addressed. */
  readonly host: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** Where the client is. */
  readonly clientAddress: string
}

/** What is answered. A string body goes out as it is, anything else as JSON, undefined as nothing. */
export type Reply = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Values of `Set-Cookie`. */
  readonly cookies?: readonly string[]
  readonly body?: unknown
}

/** The token of an `Authorization: Bearer …`, whatever the case of the scheme. `''` where only the scheme is there. */
export function bearerOf(call: Call): string | undefined {
  const [, token] = /^bearer(?:\s+(.*))?$/i.exec(call.headers.authorization?.trim() ?? '') ?? []
  if (token !== undefined) return token
  return /^bearer$/i.test(call.headers.authorization?.trim() ?? '') ? '' : undefined
}

/** The members of a JSON object; none where the text is anything else. */
export function jsonObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
  } catch {
    return {}
  }
}

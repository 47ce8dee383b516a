import { once } from 'node:events'
import { request } from 'node:https'
import { text as readText } from 'node:stream/consumers'
import type { IncomingMessage } from 'node:http'

/** What the server said. `body` is its JSON, or nothing. */
export type Answer = { readonly status: number; readonly text: string; readonly body: unknown }

/** Plain calls of an API server as one user: the judge of definitions and policies knows nothing of our own client. */
export type Api = {
  get(path: string): Promise<Answer>
  post(path: string, body: object): Promise<Answer>
  put(path: string, body: object): Promise<Answer>
  /** Merge patch. */
  patch(path: string, body: object): Promise<Answer>
  /** Server-side apply, as `manager`, by force. */
  apply(path: string, body: object, manager?: string): Promise<Answer>
  delete(path: string): Promise<Answer>
}

export type ApiOptions = { readonly url: string; readonly ca: string | undefined; readonly token: string }

type Call = { readonly method: string; readonly path: string; readonly body?: object; readonly type?: string }

export function createApi({ url, ca, token }: ApiOptions): Api {
  async function call({ method, path, body, type = 'application/json' }: Call): Promise<Answer> {
    const sent = request(new URL(path, url), {
      method,
      // Without a CA: a probe of a program of ours on loopback.
      ...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
      headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': type }) },
    })
    sent.end(body === undefined ? undefined : JSON.stringify(body))
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    const text = await readText(response)
    return { status: response.statusCode ?? 0, text, body: parsed(text) }
  }

  return {
    get: (path) => call({ method: 'GET', path }),
    post: (path, body) => call({ method: 'POST', path, body }),
    put: (path, body) => call({ method: 'PUT', path, body }),
    patch: (path, body) => call({ method: 'PATCH', path, body, type: 'application/merge-patch+json' }),
    apply: (path, body, manager = 'peer') =>
      call({ method: 'PATCH', path: withQuery(path, `fieldManager=${manager}&force=true`), body, type: 'application/apply-patch+yaml' }),
    delete: (path) => call({ method: 'DELETE', path }),
  }
}

function withQuery(path: string, query: string): string {
  return `${path}${path.includes('?') ? '&' : '?'}${query}`
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

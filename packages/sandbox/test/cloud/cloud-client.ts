import assert from 'node:assert/strict'
import type { SandboxCloud } from '../../src/cloud/start-cloud.ts'

/** An answer, whatever its form. */
export type Answer = { readonly status: number; readonly headers: Headers; readonly text: string; readonly json: unknown }
export type Json = Record<string, unknown>

const TOKEN_PATH = '/protocol/openid-connect/token'

export type CallOptions = { readonly method?: string; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }

/** One call, with what came back. */
export async function call(url: string, { method = 'GET', body, headers }: CallOptions = {}): Promise<Answer> {
  const reply = await fetch(url, {
    method,
    redirect: 'manual',
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await reply.text()
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    // Not JSON: the text is all there is.
  }
  return { status: reply.status, headers: reply.headers, text, json }
}

/** A request to the token endpoint. */
export function askToken(
  cloud: SandboxCloud,
  form: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return call(`${cloud.issuer}${TOKEN_PATH}`, {
    method: 'POST',
    body: new URLSearchParams(form).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
  })
}

const tokenIn = (answer: Answer): string => {
  assert.equal(answer.status, 200, answer.text)
  return String((answer.json as Json)['access_token'])
}

/** Step 1. */
export async function serviceToken(cloud: SandboxCloud, clientId = 'kubernetes_cluster_service'): Promise<string> {
  const { secret = '' } = cloud.clients.find(({ id }) => id === clientId) ?? {}
  return tokenIn(await askToken(cloud, { grant_type: 'client_credentials', client_id: clientId, client_secret: secret }))
}

/** Step 2. */
export async function rptFor(cloud: SandboxCloud, service: string): Promise<string> {
  const form = { grant_type: 'urn:ietf:params:oauth:grant-type:uma-ticket', audience: 'service_provider_api' }
  return tokenIn(await askToken(cloud, form, { authorization: `Bearer ${service}` }))
}

export type ImpersonateOptions = { readonly region?: string; readonly base?: string; readonly rpt?: string; readonly service?: string }

/** Step 3, as it is answered. */
export async function askImpersonation(cloud: SandboxCloud, email: string, options: ImpersonateOptions = {}): Promise<Answer> {
  const service = options.service ?? (await serviceToken(cloud))
  const rpt = options.rpt ?? (await rptFor(cloud, service))
  const base = options.base ?? cloud.regions[options.region ?? 'zrh']?.api
  return call(`${base}/service_provider/api/v1/user/impersonate`, {
    method: 'POST',
    body: { user_email: email, subject_token: service },
    headers: { authorization: `Bearer ${rpt}` },
  })
}

/** API 2.0 as one user at one host. */
export type Api = {
  readonly token: string
  get(path: string): Promise<Answer>
  post(path: string, body?: unknown): Promise<Answer>
  put(path: string, body: unknown): Promise<Answer>
  delete(path: string): Promise<Answer>
}

export function apiAt(base: string, token: string): Api {
  const send = (method: string, path: string, body?: unknown): Promise<Answer> =>
    call(`${base}/api/2.0/${path}`, { method, body, headers: { authorization: `Bearer ${token}` } })
  return {
    token,
    get: (path) => send('GET', path),
    post: (path, body = {}) => send('POST', path, body),
    put: (path, body) => send('PUT', path, body),
    delete: (path) => send('DELETE', path),
  }
}

/** All three steps. */
export async function actAs(cloud: SandboxCloud, email: string, region = 'zrh'): Promise<Api> {
  return apiAt(String(cloud.regions[region]?.api), tokenIn(await askImpersonation(cloud, email, { region })))
}

/** The first object of an answer with `objects`. */
export function firstOf(answer: Answer): Json & { readonly uuid: string } {
  const [first] = (answer.json as { objects: (Json & { uuid: string })[] }).objects ?? []
  assert.ok(first, answer.text)
  return first
}

/** `error_type`, `error_message` and `error_point` of an error in its usual form. */
export function errorOf(answer: Answer): Json {
  assert.ok(Array.isArray(answer.json), answer.text)
  return answer.json[0] as Json
}

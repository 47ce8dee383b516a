import { errorCode, silentMeters } from '@ascribe/kit'
import type { Meters } from '@ascribe/kit'
import { request as undiciRequest } from 'undici'
import type { Dispatcher } from 'undici'
import { systemClocks } from '../clocks.ts'
import type { Clocks } from '../clocks.ts'
import { KubeError } from '../errors.ts'
import { openCredentials } from './credentials.ts'
import type { CredentialSource, CredentialStore, Credentials } from './credentials.ts'
import { DeadlinePassed, startDeadline } from './deadline.ts'
import { createDispatchers } from './dispatchers.ts'
import type { Dispatchers } from './dispatchers.ts'
import { createRequestMeters } from './meters.ts'
import type { RequestMeters } from './meters.ts'
import { errorOfAnswer, parseJson } from './status.ts'
import { openStream } from './stream.ts'
import type { KubeAnswer, KubeConnection, KubeRequest, StreamRequest } from './types.ts'

export type KubeConnectionOptions = CredentialSource & {
  readonly clocks?: Clocks
  readonly meters?: Meters
  /** First part of the `User-Agent`; default `ascribe`. */
  readonly userAgent?: string
}

const DEADLINE_MS = 30_000
const DEADLINE_MS_MAX = 600_000
const HEAD_MS = 30_000

/**
 * Connects to an API server: by a kubeconfig (client certificate, token, token file, exec plugin, basic) or as the service account of the
 * pod. Certificates that are rotated on disk are seen within 10 s, token files within 70 s, everything at once after a 401, which is answered
 * by asking again once. Sends nothing yet.
 *
 * @throws {KubeConfigError}
 */
export async function createKubeConnection(options: KubeConnectionOptions): Promise<KubeConnection> {
  const clocks = options.clocks ?? systemClocks
  const credentials = await openCredentials(options, clocks)
  const { server, namespace, proxyUrl } = credentials
  const dispatchers = createDispatchers({ origin: server.origin, proxyUrl })
  const meters = createRequestMeters(options.meters ?? silentMeters, server.host)
  const wire: Wire = { clocks, credentials, dispatchers, meters, server, userAgent: options.userAgent ?? 'ascribe' }
  return {
    server: server.origin,
    namespace,
    send: (request) => sendOver(wire, request),
    stream: (request) => streamOver(wire, request),
    [Symbol.asyncDispose]: () => dispatchers[Symbol.asyncDispose](),
  }
}

type Wire = {
  readonly clocks: Clocks
  readonly credentials: CredentialStore
  readonly dispatchers: Dispatchers
  readonly meters: RequestMeters
  readonly server: URL
  readonly userAgent: string
}

async function sendOver(wire: Wire, request: KubeRequest): Promise<KubeAnswer> {
  using deadline = startDeadline(wire.clocks, Math.min(request.deadlineMs ?? DEADLINE_MS, DEADLINE_MS_MAX), request.signal)
  try {
    const first = await wire.credentials.current()
    let answer = await exchange(wire, request, { credentials: first, signal: deadline.signal })
    if (answer.status === 401) {
      // Never more than once: a server that refuses fresh credentials refuses us.
      const renewed = await wire.credentials.renew(first)
      answer = await exchange(wire, request, { credentials: renewed, signal: deadline.signal })
    }
    if (answer.status < 200 || answer.status > 299) throw errorOfAnswer(request.operation, answer)
    const body = parseJson(answer.text)
    if (body === undefined)
      throw new KubeError(request.operation, { reason: 'Malformed', status: answer.status, message: 'the answer is no JSON' })
    return { status: answer.status, body }
  } catch (thrown) {
    throw wrapped(request, thrown, deadline.signal)
  }
}

type Exchanged = { readonly status: number; readonly text: string; readonly retryAfter: string | undefined }

async function exchange(
  wire: Wire,
  request: KubeRequest,
  { credentials, signal }: { readonly credentials: Credentials; readonly signal: AbortSignal },
): Promise<Exchanged> {
  const done = wire.meters.begin(request.method)
  try {
    const answer = await undiciRequest(urlOf(wire, request), {
      dispatcher: wire.dispatchers.for(credentials).calls,
      method: request.method,
      headers: {
        accept: 'application/json',
        'user-agent': wire.userAgent,
        ...(request.body !== undefined && { 'content-type': request.contentType ?? 'application/json' }),
        ...credentials.headers,
      },
      ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
      signal,
    })
    const text = await answer.body.text()
    done(String(answer.statusCode))
    return { status: answer.statusCode, text, retryAfter: headerOf(answer, 'retry-after') }
  } catch (thrown) {
    done('<error>')
    throw thrown
  }
}

async function streamOver(wire: Wire, request: StreamRequest): ReturnType<KubeConnection['stream']> {
  // The deadline for the head becomes the watch on silence, which the stream restarts with each chunk.
  const deadline = startDeadline(wire.clocks, request.headMs ?? HEAD_MS, request.signal)
  try {
    const first = await wire.credentials.current()
    let head = await openHead(wire, request, { credentials: first, signal: deadline.signal })
    if (head.statusCode === 401) {
      await head.body.dump()
      head = await openHead(wire, request, { credentials: await wire.credentials.renew(first), signal: deadline.signal })
    }
    if (head.statusCode !== 200) {
      const text = await head.body.text()
      throw errorOfAnswer(request.operation, { status: head.statusCode, text, retryAfter: headerOf(head, 'retry-after') })
    }
    return openStream(head.body, {
      operation: request.operation,
      deadline,
      silenceMs: request.silenceMs,
      wrap: (thrown) => wrapped(request, thrown, deadline.signal),
    })
  } catch (thrown) {
    const error = wrapped(request, thrown, deadline.signal)
    deadline[Symbol.dispose]()
    throw error
  }
}

async function openHead(
  wire: Wire,
  request: StreamRequest,
  { credentials, signal }: { readonly credentials: Credentials; readonly signal: AbortSignal },
): Promise<Dispatcher.ResponseData> {
  const done = wire.meters.begin('WATCH')
  try {
    const head = await undiciRequest(urlOf(wire, request), {
      dispatcher: wire.dispatchers.for(credentials).streams,
      method: 'GET',
      headers: { accept: 'application/json', 'user-agent': wire.userAgent, ...credentials.headers },
      signal,
    })
    done(String(head.statusCode))
    return head
  } catch (thrown) {
    done('<error>')
    throw thrown
  }
}

function urlOf({ server }: Wire, { path, query }: Pick<KubeRequest, 'path' | 'query'>): URL {
  // A kubeconfig may point below a prefix (a proxy that serves several clusters).
  const url = new URL(server.pathname.replace(/\/$/, '') + path, server)
  for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined) url.searchParams.set(name, String(value))
  return url
}

function headerOf({ headers }: Dispatcher.ResponseData, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : undefined
}

/** The caller's abort stays what it is; our deadline and everything that broke become a `KubeError`. */
function wrapped({ operation }: { readonly operation: string }, thrown: unknown, signal: AbortSignal): unknown {
  if (signal.aborted && signal.reason instanceof DeadlinePassed)
    return new KubeError(operation, { reason: 'Deadline', message: 'the API server did not answer in time' })
  if (signal.aborted) return signal.reason
  if (thrown instanceof Error && 'code' in thrown && String(thrown.code).startsWith('KUBE_')) return thrown
  const code = errorCode(thrown)
  return new KubeError(
    operation,
    { reason: 'Network', message: `the connection failed${code === undefined ? '' : ` (${code})`}` },
    { cause: thrown },
  )
}

import type { IncomingMessage, ServerResponse } from 'node:http'
import { InputError } from '@ascribe/kit'
import { readBody } from '../read-body.ts'
import { parseTeleportFaults } from './faults.ts'
import type { SandboxTeleport } from './types.ts'

type Controlled = Pick<
  SandboxTeleport,
  'signIn' | 'endSessions' | 'setFaults' | 'rotateKeys' | 'dropOldKeys' | 'events' | 'recording' | 'seen' | 'sessions'
>

type Call = { readonly request: IncomingMessage; readonly response: ServerResponse }

/**
 * `/sandbox/…` on the proxy's host: what a test does to it. Pages of other origins are refused: they could sign in as anybody.
 * False: that is not one of ours. @throws {InputError}
 */
export async function serveControl(teleport: Controlled, { request, response }: Call): Promise<boolean> {
  const path = (request.url ?? '').split('?', 1)[0] ?? ''
  if (!path.startsWith('/sandbox/')) return false
  const { origin, 'sec-fetch-site': site = 'none' } = request.headers
  if (origin !== undefined || (site !== 'none' && site !== 'same-origin')) {
    send(response, 403, { error: 'not for pages of other origins' })
    return true
  }
  const answer = await act(teleport, `${request.method ?? ''} ${path}`, request)
  send(response, answer === undefined ? 404 : 200, answer ?? { error: `there is no ${request.method} ${path}` })
  return true
}

async function act(teleport: Controlled, what: string, request: IncomingMessage): Promise<unknown> {
  const [, chunkId] = /^GET \/sandbox\/recordings\/([^/]+)$/.exec(what) ?? []
  if (chunkId !== undefined) return teleport.recording(chunkId)
  switch (what) {
    case 'GET /sandbox/events':
      return teleport.events
    case 'GET /sandbox/seen':
      return teleport.seen
    case 'GET /sandbox/sessions':
      return teleport.sessions
    case 'POST /sandbox/sessions': {
      const { user, app, ttlMs } = await readJson(request)
      if (typeof user !== 'string' || typeof app !== 'string') throw new InputError('Cannot sign in: user and app must be texts')
      return teleport.signIn(user, { app, ...(typeof ttlMs === 'number' && { ttlMs }) })
    }
    case 'POST /sandbox/sessions/end': {
      const { sid, user } = await readJson(request)
      return {
        ended: teleport.endSessions({ ...(typeof sid === 'string' && { id: sid }), ...(typeof user === 'string' && { operator: user }) }),
      }
    }
    case 'PUT /sandbox/faults':
      teleport.setFaults(parseTeleportFaults(await readJson(request)))
      return {}
    case 'POST /sandbox/keys/rotate':
      await teleport.rotateKeys()
      return {}
    case 'POST /sandbox/keys/drop-old':
      teleport.dropOldKeys()
      return {}
    default:
      return undefined
  }
}

async function readJson(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const text = (await readBody(request)).toString()
  try {
    const value: unknown = text === '' ? {} : JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>
  } catch (cause) {
    throw new InputError('Cannot read the body: it is not JSON', { cause })
  }
  throw new InputError('Cannot read the body: it must be an object')
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(value))
}

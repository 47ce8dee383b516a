import type { IncomingMessage, ServerResponse } from 'node:http'
import { InputError } from '@ascribe/kit'
import { readBody } from '../read-body.ts'
import type { IssuerControls } from './types.ts'

type Call = { readonly request: IncomingMessage; readonly response: ServerResponse }

/** `POST /sandbox/…`: for tests in another process. Pages are refused: they could be anybody. False: that is not one of ours. @throws {InputError} */
export async function serveControl(issuer: IssuerControls, { request, response }: Call): Promise<boolean> {
  const [path = ''] = (request.url ?? '').split('?', 1)
  if (request.method !== 'POST' || !path.startsWith('/sandbox/')) return false
  const isPage = request.headers.origin !== undefined
  const answer = isPage ? { error: 'not for pages' } : await act(issuer, path, await readJson(request))
  const status = isPage ? 403 : answer === undefined ? 404 : 200
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(answer ?? {}))
  return true
}

type Json = Readonly<Record<string, unknown>>

async function act(issuer: IssuerControls, path: string, { user, ttlS, audience, organizations }: Json): Promise<Json | undefined> {
  switch (path) {
    case '/sandbox/tokens': {
      const options = { ...(typeof ttlS === 'number' && { ttlS }), ...(typeof audience === 'string' && { audience }) }
      return { access_token: issuer.userToken(String(user), options) }
    }
    case '/sandbox/users':
      if (!Array.isArray(organizations)) throw new InputError('Cannot change the user: organizations must be a list')
      issuer.setOrganizations(String(user), organizations.map(String))
      return {}
    case '/sandbox/sessions/end':
      await issuer.endSessions(String(user))
      return {}
    case '/sandbox/keys/rotate':
      await issuer.rotateKeys()
      return {}
    case '/sandbox/keys/drop-old':
      issuer.dropOldKeys()
      return {}
    default:
      return undefined
  }
}

async function readJson(request: IncomingMessage): Promise<Json> {
  const text = (await readBody(request)).toString()
  try {
    const value: unknown = text === '' ? {} : JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Json
  } catch (cause) {
    throw new InputError('Cannot read the body: it is not JSON', { cause })
  }
  throw new InputError('Cannot read the body: it must be an object')
}

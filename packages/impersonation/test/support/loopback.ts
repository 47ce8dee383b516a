import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { jwtOf } from './jwt.ts'
import { userOfEmail } from './world.ts'

export type Received = {
  readonly method: string
  readonly path: string
  readonly host: string
  readonly authorization: string | undefined
  readonly contentType: string | undefined
  readonly body: string
}

/** Something that listens on loopback, on a port that the kernel chose, and remembers what it got. */
export type Loopback = AsyncDisposable & {
  readonly port: number
  readonly received: Received[]
  /** Connections that were opened so far. */
  readonly connections: number
  /** How it answers; replaceable at any time. */
  handle: (request: Received, response: ServerResponse, socket: Socket) => void
}

export async function listen(handle: Loopback['handle'], host = '127.0.0.1'): Promise<Loopback> {
  const received: Received[] = []
  let connections = 0
  const take = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = Buffer.concat(await incoming.toArray()).toString()
    const { method = '', url: path = '', headers, socket } = incoming
    const request = {
      method,
      path,
      host: headers.host ?? '',
      authorization: headers.authorization,
      contentType: headers['content-type'],
      body,
    }
    received.push(request)
    loopback.handle(request, response, socket)
  }
  const server = createServer((incoming, response) => void take(incoming, response))
  server.on('connection', () => (connections += 1))
  server.listen(0, host)
  await once(server, 'listening')
  const loopback: Loopback = {
    port: (server.address() as AddressInfo).port,
    received,
    get connections() {
      return connections
    },
    handle,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
  return loopback
}

/** The smallest Keycloak and cloud in one: everybody may, every address is somebody, tokens say who they are. */
export function tinyCloud(lifeS = 300): Loopback['handle'] {
  return ({ path, body, authorization }, response) => {
    const json = (status: number, value: unknown): void =>
      void response.writeHead(status, { 'content-type': 'application/json', 'x-request-id': 'req-7' }).end(JSON.stringify(value))
    const claims = (sub: string): object => ({ iat: 1_000, exp: 1_000 + lifeS, sub })
    const token = (sub: string, mark: string): object => ({
      access_token: `${jwtOf({ ...claims(sub), mark })}`,
      expires_in: lifeS,
      token_type: 'Bearer',
    })
    if (path.endsWith('/protocol/openid-connect/token'))
      return json(200, body.includes('uma-ticket') ? token('service', 'RPT-canary') : token('service', 'SA-canary'))
    if (path === '/service_provider/api/v1/user/impersonate') {
      const { user_email } = JSON.parse(body) as { user_email: string }
      return json(200, token(userOfEmail(user_email), `IMP-canary ${user_email}`))
    }
    const { mark } = JSON.parse(Buffer.from(authorization?.split('.')[1] ?? '', 'base64url').toString()) as { mark: string }
    const email = mark.split(' ')[1] ?? ''
    return json(200, { uuid: userOfEmail(email), email, state: 'REGULAR' })
  }
}

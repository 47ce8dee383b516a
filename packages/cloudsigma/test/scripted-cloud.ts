import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createCloudSigma } from '../src/client.ts'
import type { CloudSigma, CloudSigmaOptions } from '../src/client.ts'
import type { Authenticator } from '../src/authenticator.ts'

/** One request as it came. */
export type Asked = {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly body: unknown
  /** Of the client's connection: the same for requests that shared one. */
  readonly port: number
}

/** What to answer. A body that is no text is sent as JSON. */
export type Reply = {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export type Script = (asked: Asked, response: ServerResponse) => Reply | 'handled' | Promise<Reply | 'handled'>

export type ScriptedCloud = AsyncDisposable & {
  readonly url: string
  readonly asked: Asked[]
  /** Replaces what it answers. */
  play(script: Script): void
}

export const OWNER = '11111111-1111-4111-8111-111111111111'
export const STRANGER = '22222222-2222-4222-8222-222222222222'
export const SERVER = '404fffff-1111-4222-8333-444444444404'
export const DRIVE = '33333333-1111-4222-8333-444444444444'

/** A server on loopback that answers what a test says; it speaks real HTTP, and misbehaves where told to. */
export async function startScriptedCloud(script: Script): Promise<ScriptedCloud> {
  const asked: Asked[] = []
  let current = script
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://localhost')
      const text = Buffer.concat(chunks).toString('utf8')
      const one: Asked = {
        method: request.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        text,
        body: text === '' ? undefined : JSON.parse(text),
        port: request.socket.remotePort ?? 0,
      }
      asked.push(one)
      void answer(one, response)
    })
  })
  async function answer(one: Asked, response: ServerResponse): Promise<void> {
    const reply = await current(one, response)
    if (reply === 'handled') return
    const text = reply.body === undefined ? '' : typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body)
    response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers })
    response.end(text)
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    play: (next) => (current = next),
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** Gives one token after the other, and remembers which were rejected. */
export function countingAuthenticator(): Authenticator & {
  readonly given: string[]
  readonly rejectedTokens: unknown[]
  readonly origins: string[]
} {
  const given: string[] = []
  const rejectedTokens: unknown[] = []
  const origins: string[] = []
  return {
    given,
    rejectedTokens,
    origins,
    async authorize(origin) {
      const token = `token-${rejectedTokens.length + 1}`
      given.push(token)
      origins.push(origin)
      return { header: `Bearer ${token}`, token }
    },
    rejected: (token) => void rejectedTokens.push(token),
  }
}

/** A client of a scripted cloud whose waits pass at once. */
export function clientOf(cloud: Pick<ScriptedCloud, 'url'>, options: Partial<CloudSigmaOptions> = {}): CloudSigma {
  return createCloudSigma({
    endpoint: { region: 'zrh', apiUrl: new URL(`${cloud.url}/api/2.0/`), origin: new URL(cloud.url).origin },
    authenticator: countingAuthenticator(),
    wait: async () => {},
    random: () => 0.5,
    ...options,
  })
}

/** A list as the API answers it. */
export function pageOf(objects: readonly unknown[], { query }: Pick<Asked, 'query'>): Reply {
  const limit = Number(query.get('limit') ?? 20)
  const offset = Number(query.get('offset') ?? 0)
  const shown = limit === 0 ? objects.slice(offset) : objects.slice(offset, offset + limit)
  return { status: 200, body: { meta: { limit, offset, total_count: objects.length }, objects: shown } }
}

export function refusal(status: number, type: string, message = '', point: string | null = null): Reply {
  return { status, body: [{ error_type: type, error_message: message, error_point: point }], headers: { 'x-request-id': 'req-404' } }
}

/** A server as 3.5 of the reference has it. */
export function serverJson(uuid: string, changes: object = {}): object {
  return {
    uuid,
    name: 'kdc-a-md0-x1',
    status: 'stopped',
    owner: { uuid: OWNER, resource_uri: `/api/2.0/user/${OWNER}/` },
    resource_uri: `/api/2.0/servers/${uuid}/`,
    cpu: 4000,
    smp: 2,
    mem: 4294967296,
    drives: [
      {
        boot_order: 1,
        dev_channel: '0:0',
        device: 'virtio',
        drive: { uuid: DRIVE, resource_uri: `/api/2.0/drives/${DRIVE}/` },
        runtime: null,
      },
    ],
    nics: [
      {
        mac: '22:aa:00:00:00:01',
        model: 'virtio',
        vlan: { uuid: '55555555-1111-4222-8333-444444444444', resource_uri: '/' },
        ip_v4_conf: null,
        ip_v6_conf: null,
        boot_order: null,
        firewall_policy: null,
        runtime: null,
      },
    ],
    meta: { base64_fields: 'cloudinit-user-data', 'cloudinit-user-data': 'CANARY-BOOTSTRAP' },
    tags: [],
    permissions: [],
    runtime: null,
    vnc_password: 'CANARY-VNC',
    ...changes,
  }
}

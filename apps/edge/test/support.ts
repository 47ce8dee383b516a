import { generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createApiKey, writePolicyFile } from '@ascribe/identity'
import type { PolicyKey } from '@ascribe/identity'
import type { LogFields, Logger } from '@ascribe/kit'
import { createMeters, tryLock } from '@ascribe/service'
import type { MeterRegistry } from '@ascribe/service'
import { startEdge } from '../src/index.ts'
import type { Edge, EdgeConfig } from '../src/index.ts'

const SERVER_SECRET = Buffer.alloc(32, 7)

export type TestEdge = {
  readonly edge: Edge
  readonly url: string
  readonly port: number
  readonly meters: MeterRegistry
  /** Everything that was logged, as text. */
  readonly log: readonly string[]
  /** Makes a key and puts it into the policy file. */
  readonly addKey: (fields?: Partial<PolicyKey>) => { readonly key: string; readonly authId: string }
  readonly revokeKeys: () => void
}

export type TestEdgeOptions = Partial<EdgeConfig> & { readonly hasPolicy?: boolean; readonly clock?: () => number }

export async function startTestEdge(t: TestContext, options: TestEdgeOptions = {}): Promise<TestEdge> {
  const { hasPolicy = true, clock, ...config } = options
  const dir = await mkdtemp(join(tmpdir(), 'ascribe-edge-'))
  const policy = join(dir, 'policy.json')
  let version = 0
  let keys: PolicyKey[] = []
  const write = (): void => {
    version += 1
    writePolicyFile(policy, { ledger: 'test', version, keys }, tryLock)
  }
  if (hasPolicy) write()
  const meters = createMeters()
  const log: string[] = []
  const edge = await startEdge(
    { host: '127.0.0.1', port: 0, rules: [], forwardedFrom: [], ...config },
    { policy, serverSecret: SERVER_SECRET, logger: keepingLogger(log), meters, ...(clock !== undefined && { clock }) },
  )
  t.after(async () => {
    await edge.close({ graceMs: 0 })
    await rm(dir, { recursive: true })
  })
  return {
    edge,
    url: edge.url,
    port: Number(new URL(edge.url).port),
    meters,
    log,
    addKey(fields = {}) {
      const { key, publicId, hmac } = createApiKey(SERVER_SECRET)
      const authId = `auth-${publicId}`
      keys = [...keys, { authId, publicId, hmac, organizationId: 'org', scopes: ['inference'], ...fields }]
      write()
      return { key, authId }
    },
    revokeKeys() {
      keys = []
      write()
    },
  }
}

function keepingLogger(log: string[]): Logger {
  const keep =
    (level: string) =>
    (message: string, fields: LogFields = {}): void =>
      void log.push(`${level} ${message} ${Object.values(fields).map(String).join(' ')}`)
  const logger: Logger = { debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error'), child: () => logger }
  return logger
}

export type Answer = { readonly status: number; readonly headers: IncomingMessage['headers']; readonly text: string }

export type Ask = {
  /** Name, value, name, value. */
  readonly headers?: readonly string[]
  readonly method?: string
  readonly path?: string
}

/** Asks as a proxy does, over a connection of its own. */
export async function ask(url: string, { headers = [], method = 'GET', path = '/' }: Ask = {}): Promise<Answer> {
  const { hostname, port } = new URL(url)
  const hasHost = headers.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'host')
  const outgoing = request({ hostname, port, method, path, agent: false, headers: [...headers, ...(hasHost ? [] : ['Host', 'edge'])] })
  outgoing.end()
  const [reply] = (await once(outgoing, 'response')) as [IncomingMessage]
  const text = Buffer.concat(await reply.toArray()).toString()
  return { status: reply.statusCode ?? 0, headers: reply.headers, text }
}

export const bearer = (token: string): readonly string[] => ['Authorization', `Bearer ${token}`]

export type TestIssuer = {
  readonly url: string
  /** Status of its key set from now on. */
  status: number
  token(claims?: Readonly<Record<string, unknown>>): string
}

/** An issuer with one Ed25519 key. */
export async function startTestIssuer(t: TestContext): Promise<TestIssuer> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig', alg: 'EdDSA' }
  const server = createServer((message, response) => {
    const document = message.url === '/keys' ? { keys: [jwk] } : { issuer: issuer.url, jwks_uri: `${issuer.url}/keys` }
    response.writeHead(issuer.status, { 'content-type': 'application/json' }).end(JSON.stringify(document))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')
  const issuer: TestIssuer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    status: 200,
    token(claims = {}) {
      const now = Math.floor(Date.now() / 1000)
      const whole = { iss: issuer.url, aud: 'inference', sub: 'tok-1', iat: now, exp: now + 300, ...claims }
      const signed = `${encode({ alg: 'EdDSA', kid: 'k1', typ: 'JWT' })}.${encode(whole)}`
      return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString('base64url')}`
    },
  }
  return issuer
}

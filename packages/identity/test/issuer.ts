import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SignJWT, exportJWK, generateKeyPair } from 'jose'
import type { CryptoKey, JWK, JWTHeaderParameters, JWTPayload } from 'jose'

/** A pair of keys with its place in a set. */
export type SigningKey = { readonly kid: string | undefined; readonly alg: string; readonly privateKey: CryptoKey; readonly jwk: JWK }

export async function newKey(alg = 'RS256', kid?: string, more: JWK = { kty: 'RSA' }): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const { kty: _, ...extra } = more
  const jwk: JWK = { ...(await exportJWK(publicKey)), alg, use: 'sig', ...(kid !== undefined && { kid }), ...extra }
  return { kid, alg, privateKey, jwk }
}

export type SignInput = { readonly claims: JWTPayload; readonly header?: Partial<JWTHeaderParameters> }

export function sign(key: SigningKey, { claims, header = {} }: SignInput): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: key.alg, typ: 'JWT', ...(key.kid !== undefined && { kid: key.kid }), ...header } as JWTHeaderParameters)
    .sign(key.privateKey, { crit: { odd: true } })
}

/** Base64url of the JSON of each part, as it stands: for tokens that no library would make. */
export function rawToken(header: unknown, payload: unknown, signature = ''): string {
  const encode = (part: unknown): string => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
  return `${encode(header)}.${encode(payload)}.${signature}`
}

/** An identity provider's two documents on a loopback port; everything that it says may be changed while it runs. */
export type TestIssuer = AsyncDisposable & {
  readonly url: string
  readonly jwksUrl: string
  keys: readonly JWK[]
  /** Stands in for the key set. */
  reply: { readonly status: number; readonly body: string; readonly headers?: Readonly<Record<string, string>> } | undefined
  metadata: Readonly<Record<string, unknown>> | undefined
  /** Requests for keys so far. */
  fetched: number
  /** Holds replies back until it settles. */
  gate: Promise<void>
}

export async function startIssuer(keys: readonly SigningKey[] = []): Promise<TestIssuer> {
  const server = createServer(
    (request, response) => void answer(request.url ?? '').then((reply) => response.writeHead(reply.status, reply.headers).end(reply.body)),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const issuer: TestIssuer = {
    url,
    jwksUrl: `${url}/keys`,
    keys: keys.map(({ jwk }) => jwk),
    reply: undefined,
    metadata: undefined,
    fetched: 0,
    gate: Promise.resolve(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  async function answer(path: string): Promise<NonNullable<TestIssuer['reply']>> {
    if (path === '/.well-known/openid-configuration')
      return { status: 200, body: JSON.stringify(issuer.metadata ?? { issuer: url, jwks_uri: issuer.jwksUrl }) }
    if (path !== '/keys') return { status: 404, body: '' }
    issuer.fetched += 1
    await issuer.gate
    return issuer.reply ?? { status: 200, body: JSON.stringify({ keys: issuer.keys }) }
  }
  return issuer
}

/** A clock that stands still until it is moved. */
export type TestClock = (() => number) & { advance(ms: number): void }

export function testClock(now: number = Date.now()): TestClock {
  let at = now
  return Object.assign(() => at, {
    advance(ms: number) {
      at += ms
    },
  })
}

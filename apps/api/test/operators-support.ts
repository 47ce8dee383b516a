import assert from 'node:assert/strict'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { API_ERRORS, ApiErrorSchema } from '@ascribe/contract'
import { createKeySet } from '@ascribe/identity/jwt'
import { createAssertionVerifier, viewerRole } from '@ascribe/identity/teleport'
import type { ViewerRule } from '@ascribe/identity/teleport'
import { parseOriginPattern } from '@ascribe/identity/view-as'
import type { OrganizationSource } from '@ascribe/identity/view-as'
import { silentLogger, silentMeters } from '@ascribe/kit'
import type { Logger } from '@ascribe/kit'
import { createPlatformCredential, createTrail, grantRoles, parseAuditSigner, readAccessLog } from '@ascribe/ledger'
import type { AccessLogEntry, AuditSigner, LedgerRole, Trail } from '@ascribe/ledger'
import { openDatabase } from '@ascribe/postgres'
import type { Database } from '@ascribe/postgres'
import type { TestDatabase } from '@ascribe/postgres/testing'
import { startIssuer } from '@ascribe/sandbox/issuer'
import type { SandboxIssuer } from '@ascribe/sandbox/issuer'
import { startTeleport } from '@ascribe/sandbox/teleport'
import type { SandboxTeleport } from '@ascribe/sandbox/teleport'
import { startAdmin, startApi, startInternal } from '../src/index.ts'
import type { Faults, InternalConfig, ListenerDeps } from '../src/index.ts'
import { openLedger, serverSecret } from './support.ts'

export const OLGA = 'olga@ops.example'
export const OTTO = 'otto@ops.example'
/** Has no role of a viewer. */
export const NORA = 'nora@ops.example'
export const AUDIENCE = 'http://127.0.0.1:34679'
const PEM: string = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
export const signer: AuditSigner = parseAuditSigner(PEM, 'the test')

/** A console for all, and one host for each organization. */
export const CONSOLE = 'https://console.example.com'
export const CONSOLES = 'https://aws-us-east-1-{org32}-0.example.com'

export type Answer = { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly text: string }

/** Sends exactly these headers, in this order, repeated ones too. */
export function send(
  url: string,
  { method = 'GET', headers = [], body }: { readonly method?: string; readonly headers?: readonly string[]; readonly body?: string } = {},
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const { host } = new URL(url)
  const length = body === undefined ? [] : ['content-length', String(Buffer.byteLength(body))]
  const outgoing = request(url, { method, headers: ['host', host, ...headers, ...length], agent: false }, (response) => {
    let text = ''
    response.setEncoding('utf8')
    response.on('data', (part: string) => (text += part))
    response.on('error', reject)
    response.on('end', () => {
      const fields = Object.entries(response.headers).map(([name, value]) => [name, String(value)])
      resolve({ status: response.statusCode ?? 0, headers: Object.fromEntries(fields) as Record<string, string>, text })
    })
  })
  outgoing.on('error', reject)
  outgoing.end(body)
  return promise
}

/** Status and code; and that it is a refusal as the contract has it, which no cache keeps. */
export function refusal({ status, headers, text }: Answer): readonly [number, string] {
  const error = ApiErrorSchema.parse(JSON.parse(text))
  assert.deepEqual(API_ERRORS[error.code], { status, reason: error.reason }, text)
  assert.equal(headers['x-request-id'], error.requestId)
  assertUncached({ status, headers, text })
  return [status, error.code]
}

/** R11: on every status. */
export function assertUncached({ headers }: Answer): void {
  assert.equal(headers['cache-control'], 'private, no-store')
  for (const name of ['Origin', 'Accept', 'X-Materialize-Organization-Id', 'Teleport-Jwt-Assertion', 'Cookie', 'Authorization'])
    assert.ok(headers['vary']?.split(', ').includes(name), name)
}

export type Operators = AsyncDisposable & {
  readonly db: TestDatabase
  readonly teleport: SandboxTeleport
  /** The customers' identity provider. */
  readonly issuer: SandboxIssuer
  readonly faults: Faults
  readonly internal: string
  readonly api: string
  readonly admin: string
  readonly adminKey: string
  /** The header of an operator, as Teleport adds it. */
  as(operator: string): Promise<readonly string[]>
  /** A read of an organization by an operator. */
  read(operator: string, organization: string, path: string, headers?: readonly string[]): Promise<Answer>
  begin(operator: string, organization: string, fields?: Readonly<Record<string, string>>): Promise<Answer>
  log(organization: string): Promise<readonly AccessLogEntry[]>
}

export type OperatorsOptions = {
  readonly acting?: 'required' | 'implied'
  readonly organizationFrom?: readonly OrganizationSource[]
  readonly viewers?: readonly ViewerRule[]
  readonly limits?: InternalConfig['limits']
  readonly logger?: Logger
  readonly clock?: () => number
  readonly wrap?: (trail: Trail) => Pick<Trail, 'append' | 'appendIn' | 'signedHead'>
}

/** The three listeners on one ledger, each under its own role, behind a Teleport that signs for real. */
export async function openOperators(options: OperatorsOptions = {}): Promise<Operators> {
  const { logger = silentLogger, clock = Date.now, wrap = (trail: Trail): Trail => trail } = options
  const stack = new AsyncDisposableStack()
  const db = stack.use(await openLedger())
  await grantRoles(db)
  const faults: Faults = { audit: 'ok' }
  const deps = (role: LedgerRole): ListenerDeps => {
    const pool = (max: number): Database => stack.use(openDatabase({ ...db.target, role, max, applicationName: role }))
    const trail = stack.use(createTrail({ db: pool(2), signer, logger, clock, fault: () => faults.audit === 'down' }))
    return { db: pool(6), trail: wrap(trail), serverSecret, logger, meters: silentMeters, clock }
  }
  const teleport = stack.use(
    await startTeleport({
      apps: [{ name: 'global-api', uri: AUDIENCE, publicAddr: 'global-api.teleport.localhost', jwtClaims: 'roles' }],
      ...(options.clock !== undefined && { clock: options.clock }),
    }),
  )
  const keys = createKeySet({ name: 'teleport', jwksUrl: teleport.jwksUrl, logger: silentLogger, clock })
  const verifier = createAssertionVerifier({
    issuer: teleport.issuer,
    audience: AUDIENCE,
    viewers: options.viewers ?? [viewerRole('billing-viewer')],
    keys,
    clock,
  })
  const address = { host: '127.0.0.1', port: 0 }
  const internal = stack.use(
    await startInternal(
      {
        ...address,
        verifier,
        organizationFrom: options.organizationFrom ?? ['accept', 'vendor', 'header'],
        allowOrigins: [CONSOLE, CONSOLES].map(parseOriginPattern),
        acting: options.acting ?? 'required',
        actingTtlMs: 3_600_000,
        limits: options.limits ?? { ratePerSecond: 1000, burst: 10_000 },
      },
      deps('ascribe_internal'),
    ),
  )
  const issuer = stack.use(await startIssuer())
  const signIn = { issuer: issuer.issuer, audience: issuer.audience, organizationClaim: 'organization_id', roleClaim: 'ascribe_role' }
  const api = stack.use(await startApi({ ...address, signIn }, deps('ascribe_api')))
  const admin = stack.use(await startAdmin({ ...address, faults }, deps('ascribe_admin')))
  const { key } = await createPlatformCredential(db, serverSecret, { name: 'test', by: 'test' })
  const as = async (operator: string): Promise<readonly string[]> => [
    'teleport-jwt-assertion',
    teleport.assertion(operator, { app: 'global-api' }),
  ]
  return {
    db,
    teleport,
    issuer,
    faults,
    internal: internal.url,
    api: api.url,
    admin: admin.url,
    adminKey: key,
    as,
    read: async (operator, organization, path, headers = []) =>
      send(internal.url + path, { headers: [...(await as(operator)), 'accept', organization, ...headers] }),
    begin: async (operator, organization, fields = {}) =>
      send(`${internal.url}/v1/acting-sessions`, {
        method: 'POST',
        headers: [...(await as(operator)), 'origin', CONSOLE, 'content-type', 'application/x-www-form-urlencoded'],
        body: String(new URLSearchParams({ organization, reason: 'a question of hers', ticket: 'T-1', minutes: '30', ...fields })),
      }),
    async log(organization) {
      const page = await readAccessLog(db, { organizationId: organization, limit: 1000 })
      assert(page !== 'bad_cursor')
      return page.entries.filter(({ kind }) => kind !== 'key')
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** Nobody's. */
export const NOBODY: string = randomUUID()

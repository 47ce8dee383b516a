import { generateKeyPairSync } from 'node:crypto'
import { silentLogger, silentMeters } from '@ascribe/kit'
import { createOrganization, createTrail, grantRoles, parseAuditSigner } from '@ascribe/ledger'
import { openDatabase } from '@ascribe/postgres'
import type { TestDatabase } from '@ascribe/postgres/testing'
import { SANDBOX_CONSOLE_SECRET, startIssuer } from '@ascribe/sandbox/issuer'
import type { SandboxIssuer } from '@ascribe/sandbox/issuer'
import { startApi } from '../src/index.ts'
import type { ClusterBackend } from '../src/index.ts'
import type { SignInConfig } from '../src/sign-in.ts'
import { Browser } from './browser.ts'
import type { Page } from './browser.ts'
import { openLedger, serverSecret } from './support.ts'

const KEY = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()

/** A clock that runs, and can be moved on. */
export type TestClock = (() => number) & { advance(ms: number): void }

export function testClock(): TestClock {
  let ahead = 0
  return Object.assign(() => Date.now() + ahead, {
    advance(ms: number) {
      ahead += ms
    },
  })
}

/** Customers' listeners with an identity provider, over one ledger. */
export type LoginRig = AsyncDisposable & {
  readonly db: TestDatabase
  readonly issuer: SandboxIssuer
  readonly clock: TestClock
  /** Two processes, as far as a test can tell: they share the ledger and the secret. */
  readonly url: string
  readonly otherUrl: string
  readonly acme: string
  readonly beta: string
  signIn(username: string, options?: { readonly browser?: Browser; readonly path?: string }): Promise<{ browser: Browser; page: Page }>
}

export type RigOptions = {
  readonly client?: Partial<NonNullable<SignInConfig['client']>>
  readonly accessTtlS?: number
  readonly roles?: NonNullable<SignInConfig['roles']>
  /** Of the database, under which the listeners work. Default: its owner. */
  readonly role?: string
  readonly clusters?: ClusterBackend
  /** With a trail, which changes want. Default false. */
  readonly hasTrail?: boolean
}

export async function startRig(more: RigOptions = {}): Promise<LoginRig> {
  const clock = testClock()
  const db = await openLedger()
  const issuer = await startIssuer({ clock, ...(more.accessTtlS !== undefined && { accessTtlS: more.accessTtlS }) })
  const acme = (await createOrganization(db, { name: 'Acme' })).id
  const beta = (await createOrganization(db, { name: 'Beta' })).id
  issuer.setOrganizations('ada', [acme])
  issuer.setOrganizations('vic', [acme])
  issuer.setOrganizations('max', [acme, beta])
  issuer.setOrganizations('eve', [beta])
  if (more.role !== undefined) await grantRoles(db)
  const listenersDb = more.role === undefined ? db : openDatabase({ ...db.target, role: more.role })
  const trail = more.hasTrail === true ? createTrail({ db: listenersDb, signer: parseAuditSigner(KEY, 'the test') }) : undefined
  const start = async (): Promise<Awaited<ReturnType<typeof startApi>>> => {
    let url = ''
    const deps = { db: listenersDb, serverSecret, logger: silentLogger, meters: silentMeters, clock, ...(trail !== undefined && { trail }) }
    const config: SignInConfig = {
      issuer: issuer.issuer,
      audience: issuer.audience,
      roleClaim: 'ascribe_role',
      ...(more.roles !== undefined && { roles: more.roles }),
      client: { id: 'ascribe-console', secret: async () => SANDBOX_CONSOLE_SECRET, publicUrl: () => url, ...more.client },
    }
    const { clusters } = more
    const api = await startApi({ host: '127.0.0.1', port: 0, signIn: config, ...(clusters !== undefined && { clusters }) }, deps)
    url = api.url
    return api
  }
  const [api, other] = [await start(), await start()]
  return {
    db,
    issuer,
    clock,
    url: api.url,
    otherUrl: other.url,
    acme,
    beta,
    async signIn(username, { browser = new Browser(), path = '/v1/me' } = {}) {
      const form = await browser.open(`${api.url}/login?returnTo=${encodeURIComponent(path)}`)
      const page = await browser.submit(form, { username, password: `${username}-password` })
      return { browser, page }
    },
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]()
      await other[Symbol.asyncDispose]()
      await issuer[Symbol.asyncDispose]()
      await trail?.[Symbol.asyncDispose]()
      if (listenersDb !== db) await listenersDb[Symbol.asyncDispose]()
      await db[Symbol.asyncDispose]()
    },
  }
}

import { setTimeout as delay } from 'node:timers/promises'
import { startAdmin, startApi, startInternal } from '@ascribe/api'
import type { Api, ConsoleSite, Faults, ListenerDeps } from '@ascribe/api'
import { KEY_POLL_MS } from '@ascribe/identity'
import { createKeySet } from '@ascribe/identity/jwt'
import { createAssertionVerifier } from '@ascribe/identity/teleport'
import { systemClock } from '@ascribe/kit'
import type { Logger, Meters } from '@ascribe/kit'
import { createTrail } from '@ascribe/ledger'
import type { LedgerRole } from '@ascribe/ledger'
import { tryLock } from '@ascribe/service'
import { publishPolicy } from '@ascribe/settler'
import { planInternal, planSignIn } from './api-settings.ts'
import type { ApiSettings, InternalPlan } from './api-settings.ts'
import { consoleSiteOf } from './console-site.ts'
import { auditSignerOf } from './audit-key.ts'
import type { Context } from './context.ts'
import { eventsConfigOf } from './event-settings.ts'
import type { OpenLedger } from './open-ledger.ts'
import { openAsRole } from './open-role.ts'
import { serverSecretOf } from './server-secret.ts'

export type ListenersOptions = {
  /** Owns what is started. */
  readonly stack: AsyncDisposableStack
  /** Opened as whoever owns it. */
  readonly ledger: OpenLedger
  readonly settings: ApiSettings
  readonly logger: Logger
  readonly meters: Meters
  /** Let `POST /v1/faults` break things on purpose. */
  readonly sandboxFaults: boolean
  /** Of this process's gateway: what "Getting started" names unless the configuration says another. */
  readonly gatewayUrl?: string
}

export type Listeners = {
  readonly api: Api
  readonly internal: Api | undefined
  readonly admin: Api
}

/** Reads half configurations before anything is started. @throws {InputError} */
export function checkApiSettings(settings: ApiSettings): InternalPlan {
  planSignIn(settings.oidc, () => '')
  return planInternal(settings)
}

/** Starts the three doors of the API, each with connections of its own role. */
export async function startListeners(context: Context, options: ListenersOptions): Promise<Listeners> {
  const { config } = context
  const { stack, settings, logger, sandboxFaults } = options
  const plan = checkApiSettings(settings)
  const faults: Faults = { audit: 'ok' }
  const site = consoleSiteOf(config.console, options)
  let publicUrl = ''
  const signIn = planSignIn(settings.oidc, () => publicUrl)
  // Whoever has no management cluster does not wait for what it takes to talk to one.
  const clusters =
    config.clusters.kubeconfig === undefined ? undefined : await (await import('./cluster-backend.ts')).openClusterBackend(context, options)
  const api = stack.use(
    await startApi(
      {
        ...config.api,
        events: eventsConfigOf(config.ingest),
        console: site,
        ...(signIn !== undefined && { signIn }),
        ...(clusters !== undefined && { clusters }),
      },
      await depsOf(context, options, { role: 'ascribe_api', faults }),
    ),
  )
  publicUrl = api.url
  const internal = plan.kind === 'on' ? stack.use(await openInternal(context, options, { plan, faults, site })) : undefined
  if (plan.kind === 'off') logger.info('internal listener is off', { why: plan.why })
  const admin = stack.use(
    await startAdmin(
      { ...settings.admin, ...(sandboxFaults && { faults }) },
      await depsOf(context, options, { role: 'ascribe_admin', faults }),
    ),
  )
  return { api, internal, admin }
}

type On = Extract<InternalPlan, { readonly kind: 'on' }>

async function openInternal(
  context: Context,
  options: ListenersOptions,
  { plan, faults, site }: { readonly plan: On; readonly faults: Faults; readonly site: ConsoleSite },
): Promise<Api> {
  const { logger, meters } = options
  const { jwks, issuer, audience, viewers, config } = plan
  const keys = createKeySet({ name: 'teleport', jwksUrl: jwks, logger, meters, clock: systemClock })
  const verifier = createAssertionVerifier({ issuer, audience, viewers, keys, clock: systemClock })
  return startInternal({ ...config, verifier, console: site }, await depsOf(context, options, { role: 'ascribe_internal', faults }))
}

/** Connections at most: readers, and those that lines of the trail do not have to share with them. */
const READERS_MAX = 10
const TRAIL_MAX = 2

async function depsOf(
  context: Context,
  { stack, ledger, logger, meters }: ListenersOptions,
  { role, faults }: { readonly role: LedgerRole; readonly faults: Faults },
): Promise<ListenerDeps> {
  const { dir } = context
  const open = async (max: number, purpose: string): Promise<ListenerDeps['db']> =>
    stack.use(await openAsRole(context, ledger, { role, max, name: `${role} ${purpose}`, logger }))
  const trail = stack.use(
    createTrail({
      db: await open(TRAIL_MAX, 'trail'),
      signer: auditSignerOf(context),
      logger,
      meters,
      fault: () => faults.audit === 'down',
    }),
  )
  return {
    db: await open(READERS_MAX, 'reads'),
    trail,
    serverSecret: serverSecretOf(context),
    logger,
    meters,
    async published() {
      await publishPolicy(ledger.db, dir.policy, tryLock)
      // Gateways look so often: a key that was answered works.
      await delay(2 * KEY_POLL_MS)
    },
  }
}

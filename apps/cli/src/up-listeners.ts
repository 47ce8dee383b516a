import type { Logger, Meters } from '@ascribe/kit'
import { Secret } from '@ascribe/service'
import { adminKeyOf } from './admin-key.ts'
import { startListeners } from './api-listeners.ts'
import type { ApiSettings } from './api-settings.ts'
import type { Context } from './context.ts'
import type { Demo } from './demo.ts'
import type { OpenLedger } from './open-ledger.ts'
import { startUpIssuer, startUpTeleport } from './up-sandboxes.ts'
import type { UpIssuer, UpTeleport } from './up-sandboxes.ts'
import type { Operators } from './up.ts'

export type UpListenersOptions = {
  readonly stack: AsyncDisposableStack
  readonly ledger: OpenLedger
  readonly logger: Logger
  readonly meters: Meters
  readonly demo: Demo
  readonly sandboxFaults: boolean
  readonly gatewayUrl: string
}

/** Starts the API of `ascribe up`: what is not configured has a stand-in. */
export async function startUpListeners(
  context: Context,
  options: UpListenersOptions,
): Promise<{ readonly api: string; readonly operators: Operators }> {
  const { config } = context
  const { stack, ledger, demo } = options
  const isTeleportSet = Object.values(config.teleport).some((value) => value !== undefined)
  const isOidcSet = [config.oidc.issuer, config.oidc.audience, config.oidc.client_id].some((value) => value !== undefined)
  const teleport = isTeleportSet ? undefined : await startUpTeleport(stack)
  const issuer = isOidcSet ? undefined : await startUpIssuer(stack, { demo: demo.organization.id })
  const settings = withStandIns(config, teleport, issuer)
  const { api, internal, admin } = await startListeners(context, { ...options, settings })
  if (internal !== undefined) teleport?.attach(internal.url)
  issuer?.attach(api.url)
  return {
    api: api.url,
    operators: {
      ...(internal !== undefined && { internal: internal.url }),
      admin: admin.url,
      adminKey: await adminKeyOf(context, ledger.db),
      ...(teleport !== undefined && {
        teleport: teleport.apiOrigin,
        operatorConsole: teleport.console,
        environmentConsole: teleport.consoleOf(demo.organization.id),
      }),
      ...(settings.oidc.issuer !== undefined && { issuer: settings.oidc.issuer }),
      console: `${api.url}/console/`,
      ...(issuer !== undefined && { signInAs: 'ada' }),
    },
  }
}

/** The configuration, and where it says nothing, the sandboxes. */
function withStandIns(config: ApiSettings, teleport: UpTeleport | undefined, issuer: UpIssuer | undefined): ApiSettings {
  const { internal, admin } = config
  return {
    admin,
    oidc:
      issuer === undefined
        ? config.oidc
        : {
            ...config.oidc,
            issuer: issuer.issuer,
            audience: issuer.audience,
            org_claim: issuer.organizationClaim,
            role_claim: issuer.roleClaim,
            client_id: issuer.clientId,
            client_secret: new Secret(issuer.clientSecret),
          },
    teleport: teleport === undefined ? config.teleport : { jwks: teleport.jwksUrl, issuer: teleport.issuer, audience: teleport.audience },
    internal:
      teleport === undefined
        ? internal
        : {
            ...internal,
            viewer_roles: [...internal.viewer_roles, ...(internal.viewers.length === 0 ? [teleport.viewerRole] : [])],
            allow_origins: [...internal.allow_origins, teleport.allowOrigin],
            public_url: internal.public_url ?? teleport.apiOrigin,
          },
  }
}

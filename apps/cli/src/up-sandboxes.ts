import { organization32 } from '@ascribe/identity/view-as'
import { SANDBOX_CONSOLE_SECRET, startIssuer } from '@ascribe/sandbox/issuer'
import { startTeleport } from '@ascribe/sandbox/teleport'

/** What a listener must be told of the sandbox Teleport before it starts. */
export type UpTeleport = {
  readonly jwksUrl: string
  readonly issuer: string
  /** `aud` of assertions: fixed, so that it is known before the listener has a port. */
  readonly audience: string
  readonly viewerRole: string
  /** Origin of the consoles of all environments, with `{org32}` in it. */
  readonly allowOrigin: string
  /** Origin of the API's app: where the console asks. */
  readonly apiOrigin: string
  /** Where the console is, with its API. */
  readonly console: string
  /** Where the console of an organization's environment is: another origin than the API's. */
  consoleOf(organizationId: string): string
  /** Puts the internal listener behind it, once its address is known. */
  attach(internalUrl: string): void
}

/** What the public listener must be told of the sandbox issuer. */
export type UpIssuer = {
  readonly issuer: string
  readonly audience: string
  readonly clientId: string
  readonly clientSecret: string
  readonly organizationClaim: string
  readonly roleClaim: string
  /** Lets the console be answered at the public listener, once its address is known. */
  attach(publicUrl: string): void
}

const AUDIENCE = 'http://global-api.ascribe.internal'
const CLUSTER = 'teleport.localhost'
const ENVIRONMENT = 'aws-us-east-1'

/** Starts a stand-in for Teleport whose two apps, the API and the consoles of all environments, are the internal listener. */
export async function startUpTeleport(stack: AsyncDisposableStack): Promise<UpTeleport> {
  const teleport = stack.use(await startTeleport({ clusterName: CLUSTER }))
  const { port } = new URL(teleport.url)
  const consoleHost = (organization: string): string => `${ENVIRONMENT}-${organization}-0.${CLUSTER}`
  return {
    jwksUrl: teleport.jwksUrl,
    issuer: teleport.issuer,
    audience: AUDIENCE,
    viewerRole: 'billing-viewer',
    allowOrigin: `http://${consoleHost('{org32}')}:${port}`,
    apiOrigin: `http://global-api.${CLUSTER}:${port}`,
    console: `http://global-api.${CLUSTER}:${port}/internal-console/`,
    consoleOf: (id) => `http://${consoleHost(organization32(id))}:${port}/internal-console/`,
    attach(internalUrl) {
      const shared = { uri: AUDIENCE, upstream: internalUrl, jwtClaims: 'roles' } as const
      const cors = {
        allowedOrigins: [`http://${consoleHost('*')}:${port}`],
        allowedMethods: ['GET', 'HEAD', 'POST'],
        allowedHeaders: ['X-Materialize-Organization-Id', 'X-Request-Id'],
        exposedHeaders: ['X-Request-Id', 'X-Acting-As', 'X-Acting-Expires', 'Content-Disposition'],
        allowCredentials: true,
        maxAgeS: 600,
      }
      teleport.addApp({ ...shared, name: 'global-api', publicAddr: `global-api.${CLUSTER}`, cors })
      // The environment's server would hand the console's files through; here they come from the internal listener itself.
      teleport.addApp({ ...shared, name: 'environments', publicAddr: consoleHost('*'), requiredApps: ['global-api'] })
    },
  }
}

/** Starts an issuer whose users belong to these organizations. */
export async function startUpIssuer(
  stack: AsyncDisposableStack,
  organizations: { readonly demo: string; readonly other?: string },
): Promise<UpIssuer> {
  const issuer = stack.use(await startIssuer())
  const { demo, other } = organizations
  for (const username of ['ada', 'vic']) issuer.setOrganizations(username, [demo])
  if (other !== undefined) {
    issuer.setOrganizations('max', [demo, other])
    issuer.setOrganizations('eve', [other])
  }
  return {
    issuer: issuer.issuer,
    audience: issuer.audience,
    clientId: 'ascribe-console',
    clientSecret: SANDBOX_CONSOLE_SECRET,
    organizationClaim: 'organization_id',
    roleClaim: 'ascribe_role',
    attach(publicUrl) {
      const { origin } = new URL(publicUrl)
      issuer.putClient({
        id: 'ascribe-console',
        secret: SANDBOX_CONSOLE_SECRET,
        redirectUris: [`${origin}/*`],
        backchannelLogoutUri: `${origin}/login/backchannel-logout`,
      })
    },
  }
}

import { resolve } from 'node:path'
import { Option } from 'commander'
import type { Command } from 'commander'
import type { ConfigOverride } from '@ascribe/service'

/** Of `ascribe api` and `ascribe up`, as commander names them. */
export type ApiOptions = {
  readonly teleportJwks?: string
  readonly teleportIssuer?: string
  readonly teleportAudience?: string
  readonly viewerRole?: readonly string[]
  readonly oidcIssuer?: string
  readonly oidcAudience?: string
  readonly oidcOrgClaim?: string
  readonly oidcRoleClaim?: string
  readonly oidcClientId?: string
  readonly oidcClientSecretFile?: string
  readonly allowOrigin?: readonly string[]
  readonly acting?: string
  readonly actingTtl?: string
  readonly sandboxFaults?: boolean
}

const more = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

/** Adds what the listeners of the API are told on the command line; each has a key in the configuration file too. */
export function addApiOptions(command: Command): Command {
  return command
    .option(
      '--teleport-jwks <url>',
      "keys of Teleport's assertions: https://PROXY/.well-known/jwks.json; switches the internal listener on",
    )
    .option('--teleport-issuer <name>', 'name of the Teleport cluster')
    .option('--teleport-audience <uri>', "URI of this API's app in Teleport")
    .option('--viewer-role <role>', 'Teleport role that may view customers; again for more', more)
    .option('--oidc-issuer <url>', "the customers' identity provider")
    .option('--oidc-audience <name>', 'what its tokens are for')
    .option('--oidc-org-claim <claim>', 'claim that names the organization (default: organization_id)')
    .option('--oidc-role-claim <claim>', 'claim that names the role (default: roles come from the directory)')
    .option('--oidc-client-id <id>', 'client by which people sign in to the console')
    .option('--oidc-client-secret-file <file>', 'file with its secret')
    .option('--allow-origin <origin>', 'console that may ask the internal listener, with {org32} for an organization; again for more', more)
    .addOption(new Option('--acting <mode>', 'whether operators say why they look, or just look').choices(['required', 'implied']))
    .option('--acting-ttl <duration>', 'how long they look who just look (default: 60m)')
    .option('--sandbox-faults', 'let POST /v1/faults of the admin listener break things on purpose')
}

/** The same as settings. */
export function apiOverrides(options: ApiOptions): Readonly<Record<string, ConfigOverride>> {
  const file = options.oidcClientSecretFile
  return {
    'teleport.jwks': { flag: '--teleport-jwks', value: options.teleportJwks },
    'teleport.issuer': { flag: '--teleport-issuer', value: options.teleportIssuer },
    'teleport.audience': { flag: '--teleport-audience', value: options.teleportAudience },
    'internal.viewer_roles': { flag: '--viewer-role', value: options.viewerRole },
    'internal.allow_origins': { flag: '--allow-origin', value: options.allowOrigin },
    'internal.acting': { flag: '--acting', value: options.acting },
    'internal.acting_ttl': { flag: '--acting-ttl', value: options.actingTtl },
    'oidc.issuer': { flag: '--oidc-issuer', value: options.oidcIssuer },
    'oidc.audience': { flag: '--oidc-audience', value: options.oidcAudience },
    'oidc.org_claim': { flag: '--oidc-org-claim', value: options.oidcOrgClaim },
    'oidc.role_claim': { flag: '--oidc-role-claim', value: options.oidcRoleClaim },
    'oidc.client_id': { flag: '--oidc-client-id', value: options.oidcClientId },
    'oidc.client_secret': { flag: '--oidc-client-secret-file', value: file === undefined ? undefined : { file: resolve(file) } },
  }
}

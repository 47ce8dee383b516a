import type { CloudFromEnvironment } from '@ascribe/controller'
import { missingSettings, isStaging } from '../cloud-settings.ts'
import type { CloudSettings } from '../cloud-settings.ts'
import { authoritiesOf, cloudAccessOf, regionsOf } from './cloud-access.ts'
import { minterAddressOf } from './minter-address.ts'

/**
 * What the environment gives to the controller. Impersonators decide over it: settings that are incomplete are no error here, for an
 * installation with Impersonators needs none of them. Those that are complete and wrong are.
 * @throws {InputError}
 */
export function controllerCloudOf(cloud: CloudSettings, { allowStaging }: { readonly allowStaging: boolean }): CloudFromEnvironment {
  const mayTrial = allowStaging || cloud.allow_staging
  const minter = minterAddressOf(cloud)
  const access = missingSettings(cloud).length === 0 ? cloudAccessOf(cloud, { allowStaging }) : undefined
  const { username, password } = cloud
  const credentials = username === undefined || password === undefined ? undefined : { username, password }
  // Machines of the legacy mode are operated on whatever the mode is now; `isChosen` is about new ones.
  const legacy = credentials === undefined ? undefined : cloudAccessOf({ ...cloud, impersonation_enabled: false })
  return {
    ca: authoritiesOf(cloud),
    refuseIssuer: (url) =>
      isStaging(url) && !mayTrial
        ? `Cannot use ${URL.parse(url)?.host}: it is an authorization server for trials; say --allow-staging if that is meant`
        : undefined,
    platform: credentials,
    limits: limitsOf(cloud),
    minter,
    // The minter has the client; what it serves by its environment is reached from here by the same table.
    ...(minter !== undefined &&
      cloud.oauth_url !== undefined &&
      cloud.impersonation_enabled && { environment: { regions: regionsOf(cloud) } }),
    ...(access?.mode === 'impersonation' && {
      environment: { issuer: access.issuer, clientId: access.clientId, secret: access.secret, regions: access.regions },
    }),
    ...(legacy?.mode === 'legacy' &&
      credentials !== undefined && { legacy: { credentials, regions: legacy.regions, isChosen: !cloud.impersonation_enabled } }),
  }
}

function limitsOf({ limits }: CloudSettings): NonNullable<CloudFromEnvironment['limits']> {
  const { max_servers: maxServers, max_cpu: maxCPU, max_memory: maxMemory, max_drives: maxDrives } = limits
  return {
    ...(maxServers !== undefined && { maxServers }),
    ...(maxCPU !== undefined && { maxCPU }),
    ...(maxMemory !== undefined && { maxMemory }),
    ...(maxDrives !== undefined && { maxDrives }),
  }
}

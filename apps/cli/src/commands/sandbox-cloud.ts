import type { Command } from 'commander'
import { runProcess } from '@ascribe/service'
import { type SandboxCloud, startSandboxCloud } from '@ascribe/sandbox'
import { countArgument, listArgument, portArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import type { Finish } from '../finish.ts'
import type { Surroundings } from '../surroundings.ts'

type CloudOptions = {
  readonly port: number
  readonly seed?: number
  readonly realm: string
  readonly region: string[]
  readonly trustIssuer: string[]
}

const collect = (value: string, before: string[]): string[] => [...before, value]

/** `ascribe sandbox cloud`. */
export function addSandboxCloud(sandbox: Command, surroundings: Surroundings, finish: Finish): void {
  sandbox
    .command('cloud')
    .description('a Keycloak and a CloudSigma to try things on: real protocols, invented machines, every fault at hand')
    .option('--port <port>', 'where all its hosts listen; 0 takes a free one', portArgument, 0)
    .option('--seed <number>', 'uuids, delays and chances follow from it (default: a new one)', countArgument)
    .option('--realm <name>', 'the realm of its OAuth server', 'cloudsigma')
    .option('--region <names>', 'its regions, comma-separated', listArgument, ['zrh', 'sjc'])
    .option('--trust-issuer <url>', 'take tokens of this issuer too, a real Keycloak for one; repeatable', collect, [])
    .action(async (options: CloudOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      const { out, logger } = context
      const { port, seed, realm, region, trustIssuer } = options
      finish(
        await runProcess({
          name: 'sandbox cloud',
          logger,
          start: async () => {
            const cloud = await startSandboxCloud({
              port,
              realm,
              regions: region,
              trustIssuers: trustIssuer,
              ...(seed !== undefined && { seed }),
            })
            if (out.json) out.value(cloudJson(cloud))
            else for (const line of cloudLines(cloud)) out.line(line)
            return cloud
          },
        }),
      )
    })
}

/** What scripts are told, in one line. */
function cloudJson(cloud: SandboxCloud): unknown {
  const { oauthUrl, issuer, realm, apiUrl, regions, clients, users, seed } = cloud
  return {
    oauth_url: oauthUrl,
    issuer,
    realm,
    audience: 'service_provider_api',
    api_url: apiUrl,
    regions: Object.fromEntries(
      Object.entries(regions).map(([region, { api, other, name, otherName }]) => [region, { api, other, name, other_name: otherName }]),
    ),
    clients,
    users: users.map(({ email, uuid, password, state }) => ({ email, uuid, password, state })),
    seed,
  }
}

function* cloudLines(cloud: SandboxCloud): Iterable<string> {
  yield `OAuth   ${cloud.issuer}`
  for (const [region, { api, other }] of Object.entries(cloud.regions)) yield `${region.padEnd(7)} ${api}  (wrong host: ${other})`
  yield `client  kubernetes_cluster_service, secret kcs-secret`
  for (const { email, uuid, state } of cloud.users) yield `user    ${email}  ${uuid}${state === 'REGULAR' ? '' : `  ${state}`}`
}

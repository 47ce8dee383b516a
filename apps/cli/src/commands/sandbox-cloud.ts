import { type Command, InvalidArgumentError } from 'commander'
import { runProcess } from '@ascribe/service'
import { type Knobs, type SandboxCloud, type SandboxCloudOptions, type SandboxUserSpec, startSandboxCloud } from '@ascribe/sandbox/cloud'
import { countArgument, listArgument, portArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import type { Finish } from '../finish.ts'
import type { Surroundings } from '../surroundings.ts'

const PLATFORM: SandboxUserSpec = { email: 'platform@sandbox.invalid', isPlatform: true }

type CloudOptions = {
  readonly port: number
  readonly seed?: number
  readonly realm: string
  readonly region: string[]
  readonly trustIssuer?: string[]
  readonly controlPort: number
  readonly user?: string[]
  readonly set?: Readonly<Record<string, unknown>>
  readonly frozen?: boolean
}

const collect = (value: string, before: string[] = []): string[] => [...before, value]

/** `name=value`; the value is JSON where it reads as such, else a word. */
function knobArgument(text: string, before: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  const [, name = '', value = ''] = /^([^=]+)=(.*)$/s.exec(text) ?? []
  if (name === '') throw new InvalidArgumentError('Write a knob as name=value, for example listLagMs=0.')
  try {
    return { ...before, [name]: JSON.parse(value) as unknown }
  } catch {
    return { ...before, [name]: value }
  }
}

const HELP = `
A step of minting, by hand, against what it prints:
  curl -s $OAUTH_URL/realms/cloudsigma/protocol/openid-connect/token -d grant_type=client_credentials \\
       -d client_id=kubernetes_cluster_service -d client_secret=kcs-secret

A fault, while it runs: the next impersonation answers a gateway's 504 after 60 s of its clock.
  curl -s -H "Authorization: Bearer $CONTROL_TOKEN" $CONTROL_URL/faults \\
       -d '{"match":{"step":"impersonate","times":1},"does":{"status":504,"body":"html","delayMs":60000}}'

Examples:  ascribe sandbox cloud
           ascribe sandbox cloud --json --port 0 --seed 7 --frozen
           ascribe sandbox cloud --set listLagMs=0 --set impTtlS=60
           ascribe sandbox cloud --trust-issuer http://127.0.0.1:8080/realms/cloud

Every knob and fault: docs/guides/sandbox-cloud.md`

/** `ascribe sandbox cloud`. */
export function addSandboxCloud(sandbox: Command, surroundings: Surroundings, finish: Finish): void {
  sandbox
    .command('cloud')
    .description('a Keycloak and a CloudSigma to try things on: real protocols, invented machines, every fault at hand')
    .option('--port <port>', 'where all its hosts listen; 0 takes a free one', portArgument, 0)
    .option('--seed <number>', 'uuids, delays and chances follow from it (default: a new one)', countArgument)
    .option('--realm <name>', 'the realm of its OAuth server', 'cloudsigma')
    .option('--region <names>', 'its regions, comma-separated', listArgument, ['zrh', 'sjc'])
    .option('--trust-issuer <url>', 'take tokens of this issuer too, a real Keycloak for one; repeatable', collect)
    .option(
      '--user <email>',
      'an account that there is, with the platform’s own; repeatable (default: user@, other@, suspended@example.com)',
      collect,
    )
    .option('--set <knob=value>', 'turn a knob; repeatable', knobArgument)
    .option('--frozen', 'its clock moves only when it is told to')
    .option('--control-port <port>', 'where the control listener and the page are; 0 takes a free one', portArgument, 0)
    .addHelpText('after', HELP)
    .action(async (options: CloudOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      const { out, logger } = context
      finish(
        await runProcess({
          name: 'sandbox cloud',
          logger,
          start: async () => {
            const cloud = await startSandboxCloud(cloudOptions(options))
            if (out.json) out.value(cloudJson(cloud))
            else for (const line of cloudLines(cloud)) out.line(line)
            return cloud
          },
        }),
      )
    })
}

function cloudOptions(options: CloudOptions): SandboxCloudOptions {
  const { port, controlPort, seed, realm, region, trustIssuer, user, set, frozen } = options
  return {
    port,
    controlPort,
    realm,
    regions: region,
    trustIssuers: trustIssuer ?? [],
    clock: frozen === true ? 'frozen' : 'running',
    // Names and values are checked where they are turned.
    knobs: (set ?? {}) as Partial<Knobs>,
    ...(seed !== undefined && { seed }),
    ...(user !== undefined && { users: [...user.map((email) => ({ email })), PLATFORM] }),
  }
}

/** What scripts are told, in one line. */
function cloudJson(cloud: SandboxCloud): unknown {
  const { oauthUrl, issuer, realm, apiUrl, regions, clients, users, control, seed } = cloud
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
    control_url: control.url,
    control_token: control.token,
    page_url: control.page,
    seed,
  }
}

function* cloudLines(cloud: SandboxCloud): Iterable<string> {
  yield `OAuth   ${cloud.issuer}`
  for (const [region, { api, other }] of Object.entries(cloud.regions)) yield `${region.padEnd(7)} ${api}  (wrong host: ${other})`
  yield `client  kubernetes_cluster_service, secret kcs-secret`
  yield `page    ${cloud.control.page}`
  for (const { email, uuid, state } of cloud.users) yield `user    ${email}  ${uuid}${state === 'REGULAR' ? '' : `  ${state}`}`
  yield ''
  yield* exportLines(cloud)
}

/** What every command of the cloud reads, for a shell of its own. */
function* exportLines({ oauthUrl, realm, apiUrl, regions }: SandboxCloud): Iterable<string> {
  yield `export CLOUDSIGMA_OAUTH_URL=${oauthUrl} CLOUDSIGMA_OAUTH_REALM=${realm}`
  yield 'export CLOUDSIGMA_CLIENT_ID=kubernetes_cluster_service CLOUDSIGMA_CLIENT_SECRET=kcs-secret'
  yield `export CLOUDSIGMA_API_URL='${apiUrl}' CLOUDSIGMA_REGIONS=${Object.keys(regions).join(',')}`
}

import { readFileSync } from 'node:fs'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { parse } from 'yaml'
import { InputError } from '@ascribe/kit'
import { type SandboxTeleport, SANDBOX_OPERATORS, type TeleportApp, parseTeleportApp, startTeleport } from '@ascribe/sandbox/teleport'
import { runProcess } from '@ascribe/service'
import { durationArgument, portArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import type { Finish } from '../finish.ts'
import type { Surroundings } from '../surroundings.ts'

type TeleportCommandOptions = {
  readonly port: number
  readonly cluster: string
  readonly app: readonly Placed[]
  readonly resource: readonly string[]
  readonly forward: readonly Placed[]
  readonly session: number
  readonly preflights: 'old' | 'new'
  readonly legacyHeader: boolean
  readonly plainCookies: boolean
}

type Placed = { readonly name: string; readonly url: string }

const EXAMPLES = `
Examples:
  ascribe sandbox teleport --app global-api=http://127.0.0.1:8084
  ascribe sandbox teleport --resource deploy/teleport/app-global-api.yaml --forward ascribe-global-api=http://127.0.0.1:8084

Sign in at the address that it prints, as anybody that it lists. For programs:
  curl -X POST $TELEPORT/sandbox/sessions -d '{"user":"olga@ops.example","app":"global-api"}'   gives a Cookie header
  curl $TELEPORT/sandbox/events                                                                 the audit log
  curl $TELEPORT/sandbox/recordings/SESSION_CHUNK_ID                                            the requests in a piece of a session`

/** `ascribe sandbox teleport`. */
export function addSandboxTeleport(sandbox: Command, surroundings: Surroundings, finish: Finish): void {
  sandbox
    .command('teleport')
    .description("a stand-in for Teleport's application access: apps by host name, real assertions, its redirects and its recordings")
    .option('--port <port>', 'where all its hosts listen; 0 takes a free one', portArgument, 0)
    .option('--cluster <name>', 'name of the cluster: host of its pages, and `iss` of assertions', 'teleport.localhost')
    .option('--app <name=url>', 'an app at NAME.CLUSTER; URL is its internal address, and `aud`; repeatable', collectPlaced, [])
    .option('--resource <file>', 'an app as a Teleport resource in YAML, repeatable', collect, [])
    .option('--forward <name=url>', 'sends requests of that app here instead of to its uri, repeatable', collectPlaced, [])
    .option('--session <duration>', 'how long a session lasts', durationArgument, 8 * 3_600_000)
    .addOption(
      new Option('--preflights <kind>', 'whether preflights are answered for apps with cors').choices(['old', 'new']).default('new'),
    )
    .option('--legacy-header', 'send the assertion as Cf-Access-Token too, as older servers do', false)
    .option('--plain-cookies', 'cookies for browsers that take no Secure ones from http://localhost', false)
    .addHelpText('after', EXAMPLES)
    .action(async (options: TeleportCommandOptions, command: Command) => {
      const { out, logger } = contextOf(command, surroundings)
      const apps = appsOf(options)
      finish(
        await runProcess({
          name: 'sandbox teleport',
          logger,
          start: async () => {
            const teleport = await startTeleport({
              port: options.port,
              clusterName: options.cluster,
              apps,
              sessionTtlMs: options.session,
              preflights: options.preflights,
              legacyHeader: options.legacyHeader,
              cookies: options.plainCookies ? 'loopback' : 'secure',
            })
            if (out.json) out.value(teleportJson(teleport, apps))
            else for (const line of teleportLines(teleport, apps)) out.line(line)
            return teleport
          },
        }),
      )
    })
}

/** @throws {InputError} for a resource that is none, and for a name that no app has */
function appsOf({ app, resource, forward, cluster }: TeleportCommandOptions): readonly TeleportApp[] {
  const plain = app.map(({ name, url }) => ({ name, uri: url, publicAddr: `${name}.${cluster}` }))
  const apps = [...plain, ...resource.map((file) => parseTeleportApp(parse(readFile(file))))]
  const stray = forward.find(({ name }) => !apps.some((each) => each.name === name))
  if (stray !== undefined) throw new InputError(`Cannot forward ${stray.name}: there is no app of that name`)
  return apps.map((each) => {
    const upstream = forward.find(({ name }) => name === each.name)?.url
    return upstream === undefined ? each : { ...each, upstream }
  })
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new InputError(`Cannot read ${path}`, { cause })
  }
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value]

function collectPlaced(value: string, before: readonly Placed[]): readonly Placed[] {
  const [, name, url] = /^([a-z0-9-]+)=(https?:\/\/.+)$/.exec(value) ?? []
  if (name === undefined || url === undefined || !URL.canParse(url))
    throw new InvalidArgumentError('Write it as NAME=URL, for example global-api=http://127.0.0.1:8084.')
  return [...before, { name, url }]
}

function teleportJson(teleport: SandboxTeleport, apps: readonly TeleportApp[]): unknown {
  return {
    teleport: teleport.url,
    jwks: teleport.jwksUrl,
    issuer: teleport.issuer,
    apps: apps.map(({ name, uri }) => ({ name, url: teleport.appUrl(name), audience: uri })),
    operators: SANDBOX_OPERATORS.map(({ name, roles }) => ({ name, roles })),
  }
}

function* teleportLines(teleport: SandboxTeleport, apps: readonly TeleportApp[]): Iterable<string> {
  yield `sign-in   ${teleport.url}/web/login`
  yield `keys      ${teleport.jwksUrl}`
  yield `issuer    ${teleport.issuer}`
  for (const { name, uri } of apps) yield `app       ${teleport.appUrl(name)}  (audience ${uri})`
  for (const { name, roles } of SANDBOX_OPERATORS) yield `operator  ${name}  ${roles.join(', ')}`
}

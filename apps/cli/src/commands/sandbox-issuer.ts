import { type Command, InvalidArgumentError } from 'commander'
import {
  type IssuerUser,
  type SandboxIssuer,
  SANDBOX_CONSOLE_SECRET,
  sandboxClients,
  sandboxUsers,
  startIssuer,
} from '@ascribe/sandbox/issuer'
import { runProcess } from '@ascribe/service'
import { durationArgument, portArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import type { Finish } from '../finish.ts'
import type { Surroundings } from '../surroundings.ts'

type IssuerCommandOptions = {
  readonly port: number
  readonly user: readonly Belonging[]
  readonly redirect: readonly string[]
  readonly audience: string
  readonly tokenTtl: number
}

type Belonging = { readonly username: string; readonly organizations: readonly string[] }

const EXAMPLES = `
Examples:
  ascribe sandbox issuer --user ada=9e8b1bc8-fa08-4870-a21f-22ac01cc3808
  ascribe api --oidc-issuer $ISSUER --oidc-audience ascribe --oidc-role-claim ascribe_role --oidc-client-id ascribe-console …

A token without a browser:
  curl -X POST $ISSUER/sandbox/tokens -d '{"user":"ada"}'`

/** `ascribe sandbox issuer`. */
export function addSandboxIssuer(sandbox: Command, surroundings: Surroundings, finish: Finish): void {
  sandbox
    .command('issuer')
    .description('an OpenID Connect issuer with seeded users to sign in as: code with PKCE, refresh, logout, keys that rotate')
    .option('--port <port>', 'where it listens; 0 takes a free one', portArgument, 0)
    .option('--user <name=organizations>', 'says whose a user is, ids with commas between; repeatable', collectBelonging, [])
    .option('--redirect <uri>', 'one more address that the console may be answered at, repeatable', collect, [])
    .option('--audience <name>', '`aud` of access tokens', 'ascribe')
    .option('--token-ttl <duration>', 'how long tokens live', durationArgument, 300_000)
    .addHelpText('after', EXAMPLES)
    .action(async (options: IssuerCommandOptions, command: Command) => {
      const { out, logger } = contextOf(command, surroundings)
      const users = sandboxUsers()
      finish(
        await runProcess({
          name: 'sandbox issuer',
          logger,
          start: async () => {
            const issuer = await startIssuer({
              port: options.port,
              users,
              clients: sandboxClients().map((client) => ({ ...client, redirectUris: [...client.redirectUris, ...options.redirect] })),
              audience: options.audience,
              accessTtlS: Math.floor(options.tokenTtl / 1000),
            })
            for (const { username, organizations } of options.user) issuer.setOrganizations(username, organizations)
            if (out.json) out.value(issuerJson(issuer, users))
            else for (const line of issuerLines(issuer, users)) out.line(line)
            return issuer
          },
        }),
      )
    })
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value]

function collectBelonging(value: string, before: readonly Belonging[]): readonly Belonging[] {
  const [, username, ids] = /^([a-z]+)=([0-9a-f,-]+)$/.exec(value) ?? []
  if (username === undefined || ids === undefined)
    throw new InvalidArgumentError('Write it as NAME=ID, or NAME=ID,ID, with ids of organizations.')
  return [...before, { username, organizations: ids.split(',') }]
}

function issuerJson({ issuer, jwksUrl, audience }: SandboxIssuer, users: readonly IssuerUser[]): unknown {
  return {
    issuer,
    jwks: jwksUrl,
    audience,
    client_id: 'ascribe-console',
    client_secret: SANDBOX_CONSOLE_SECRET,
    users: users.map(({ username, role, organizations }) => ({ username, role, organizations })),
  }
}

function* issuerLines({ issuer, audience }: SandboxIssuer, users: readonly IssuerUser[]): Iterable<string> {
  yield `issuer    ${issuer}`
  yield `audience  ${audience}`
  yield `client    ascribe-console, secret ${SANDBOX_CONSOLE_SECRET}`
  for (const { username, role, organizations } of users) yield `user      ${username}  ${role}  ${organizations.join(', ')}`.trimEnd()
}

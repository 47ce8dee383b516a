import type { Command } from 'commander'
import { runProcess } from '@ascribe/service'
import type { ConfigOverride } from '@ascribe/service'
import { addApiOptions, apiOverrides } from '../api-options.ts'
import type { ApiOptions } from '../api-options.ts'
import { portArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import type { Context } from '../context.ts'
import type { Output } from '../output.ts'
import type { Finish } from '../finish.ts'
import type { Surroundings } from '../surroundings.ts'
import { startEverything } from '../up.ts'
import type { Everything } from '../up.ts'

type UpCommandOptions = ApiOptions & {
  readonly port?: number
  readonly upstream?: string
  readonly prices?: string
  readonly trustHeadersFrom?: string
}

/** `ascribe up`. */
export function configureUp(root: Command, surroundings: Surroundings, finish: Finish): void {
  addApiOptions(root)
    .option('--upstream <url>', 'a real OpenAI-compatible engine, with or without /v1, for every model that has no route')
    .option(
      '--port <port>',
      'of the gateway; API, metrics, internal and admin take the next four. 0: every listener takes a free one',
      portArgument,
    )
    .option('--prices <file>', 'a price book to put in force: from the beginning where there is none yet, else from now')
    .option('--trust-headers-from <networks>', 'comma-separated networks whose identity headers are believed, such as 127.0.0.1/32')
    .addHelpText('after', '\nCtrl-C stops it: open requests may end first; a second Ctrl-C cuts them. Either way each is recorded.')
    .action(async (options: UpCommandOptions, command: Command) => {
      const context = contextOf(command, surroundings, overridesOf(options))
      const { logger, out } = context
      finish(
        await runProcess({
          name: 'up',
          logger,
          start: async (scope) => {
            const everything = await startEverything(context, scope, {
              ...(options.upstream !== undefined && { upstream: options.upstream }),
              ...(options.prices !== undefined && { prices: options.prices }),
              sandboxFaults: options.sandboxFaults === true,
              env: surroundings.env,
            })
            if (out.json) announceJson(out, context, everything)
            else announce(out, context, everything)
            everything.follow(out.json ? out.note : out.line, out.style)
            return everything
          },
        }),
      )
    })
}

/** The other listeners take the ports after the gateway's; 0 is a free one for each. */
function overridesOf({ port, trustHeadersFrom, ...options }: UpCommandOptions): Readonly<Record<string, ConfigOverride>> {
  const after = (places: number): number | undefined => (port === undefined || port === 0 ? port : port + places)
  return {
    'gateway.port': { flag: '--port', value: port },
    'api.port': { flag: '--port', value: after(1) },
    'ops.port': { flag: '--port', value: after(2) },
    'internal.port': { flag: '--port', value: after(3) },
    'admin.port': { flag: '--port', value: after(4) },
    ...apiOverrides(options),
    'gateway.trust_headers_from': { flag: '--trust-headers-from', value: trustHeadersFrom },
  }
}

function announceJson(out: Output, { dir }: Context, everything: Everything): void {
  const { gateway, api, metrics, upstream, demo } = everything
  const { signInAs: _, ...operators } = everything.operators
  out.value({ gateway, api, ...operators, metrics, ...demo, upstream, data: dir.root })
}

function announce(out: Output, { dir }: Context, everything: Everything): void {
  const { gateway, api, metrics, upstream, model, demo, operators } = everything
  const { bold, dim } = out.style
  const month = new Date().toISOString().slice(0, 7)
  const rows: readonly (readonly [string, string, string])[] = [
    ['gateway', gateway, `OpenAI clients: ${gateway}/v1`],
    ['api', api, `costs, usage, statements; described at ${api}/docs`],
    ['console', operators.console, operators.signInAs === undefined ? '' : `sign in as ${operators.signInAs}`],
    ...(operators.operatorConsole === undefined
      ? []
      : [['operators', operators.operatorConsole, 'find the demo organization and view as it; sign in as olga@ops.example'] as const]),
    ['admin', operators.admin, `key ${operators.adminKey}`],
    ['metrics', metrics, '/metrics, /healthz, /readyz'],
    ['upstream', upstream, ''],
    ['data', dir.root, ''],
    ['organization', demo.organization.name, demo.organization.id],
    ['key', demo.key, 'for inference'],
    ['billing key', demo.billing_key, 'reads its statements'],
  ]
  out.line('')
  for (const [name, value, remark] of rows) out.line(`  ${bold(name.padEnd(13))} ${value}${remark === '' ? '' : `  ${dim(remark)}`}`)
  out.line(`
Try it:

  curl ${gateway}/v1/chat/completions -H 'Authorization: Bearer ${demo.key}' \\
    -H 'Content-Type: application/json' -d '{"model":"${model}","messages":[{"role":"user","content":"Hello"}]}'

  import OpenAI from 'openai'
  const client = new OpenAI({ baseURL: '${gateway}/v1', apiKey: '${demo.key}' })
  const reply = await client.chat.completions.create({ model: '${model}', messages: [{ role: 'user', content: 'Hello' }] })

What it cost:

  curl '${api}/v1/organizations/${demo.organization.id}/statement?month=${month}' -H 'Authorization: Bearer ${demo.billing_key}'
  npm run -s ascribe -- statement --org ${demo.organization.name} --month ${month}${dir.root.endsWith('/.ascribe') ? '' : ` --data ${dir.root}`}

${dim('A line for every metered request follows. Ctrl-C stops everything.')}
`)
}

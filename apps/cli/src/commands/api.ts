import type { Command } from 'commander'
import { createMeters, measureProcess, runProcess, startOps } from '@ascribe/service'
import { checkApiSettings, startListeners } from '../api-listeners.ts'
import { addApiOptions, apiOverrides } from '../api-options.ts'
import type { ApiOptions } from '../api-options.ts'
import { portArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import { openLedger } from '../open-ledger.ts'
import type { Finish } from '../finish.ts'
import type { Surroundings } from '../surroundings.ts'

type ApiCommandOptions = ApiOptions & {
  readonly port?: number
  readonly internalPort?: number
  readonly adminPort?: number
  readonly metricsPort?: number
}

const HELP = `
Three listeners: customers (API keys, and the tokens of --oidc-issuer), operators behind Teleport (off without --teleport-jwks), and the
platform's automation (\`ascribe admin-keys\`). Everything can stand in the configuration file: see docs/guides/api.md.

Example:  ascribe api --teleport-jwks https://teleport.example.com/.well-known/jwks.json --teleport-issuer teleport.example.com \\
            --teleport-audience http://127.0.0.1:8083 --viewer-role billing-viewer --allow-origin https://console.example.com`

/** `ascribe api`. */
export function configureApi(root: Command, surroundings: Surroundings, finish: Finish): void {
  addApiOptions(root)
    .option('--port <port>', "where the customers' listener is", portArgument)
    .option('--internal-port <port>', "where the operators' listener is", portArgument)
    .option('--admin-port <port>', "where the platform's listener is", portArgument)
    .option('--metrics-port <port>', 'where /metrics, /healthz and /readyz are', portArgument)
    .addHelpText('after', HELP)
    .action(async (options: ApiCommandOptions, command: Command) => {
      const context = contextOf(command, surroundings, {
        ...apiOverrides(options),
        // Whoever lets one take a free port means all of them.
        'internal.port': { flag: '--internal-port', value: options.internalPort ?? (options.port === 0 ? 0 : undefined) },
        'admin.port': { flag: '--admin-port', value: options.adminPort ?? (options.port === 0 ? 0 : undefined) },
        'api.port': { flag: '--port', value: options.port },
        'ops.port': { flag: '--metrics-port', value: options.metricsPort },
      })
      const { config, logger, out } = context
      // Before anything is opened: half a lock is none.
      checkApiSettings(config)
      finish(
        await runProcess({
          name: 'api',
          logger,
          start: async () => {
            await using stack = new AsyncDisposableStack()
            const meters = createMeters()
            stack.use(measureProcess(meters))
            const ledger = stack.use(await openLedger(context, { name: 'api', logger }))
            const { db } = ledger
            const { api, internal, admin } = await startListeners(context, {
              stack,
              ledger,
              settings: config,
              logger,
              meters,
              sandboxFaults: options.sandboxFaults === true,
            })
            const ready = async (): Promise<Record<string, { ok: boolean }>> => {
              await db.query('select 1')
              return { database: { ok: true } }
            }
            const ops = stack.use(await startOps({ ...config.ops, meters, ready }))
            if (out.json) out.value({ api: api.url, internal: internal?.url, admin: admin.url, metrics: ops.url })
            else out.note(`public ${api.url}, internal ${internal?.url ?? 'off'}, admin ${admin.url}, metrics ${ops.url}`)
            return stack.move()
          },
        }),
      )
    })
}

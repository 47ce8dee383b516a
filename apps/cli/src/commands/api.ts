import type { Command } from 'commander'
import { startApi } from '@ascribe/api'
import { createMeters, measureProcess, runProcess, startOps } from '@ascribe/service'
import { portArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import { eventsConfigOf } from '../event-settings.ts'
import { openLedger } from '../open-ledger.ts'
import type { Finish } from '../finish.ts'
import { serverSecretOf } from '../server-secret.ts'
import type { Surroundings } from '../surroundings.ts'

/** `ascribe api`. */
export function configureApi(root: Command, surroundings: Surroundings, finish: Finish): void {
  root
    .option('--port <port>', 'where it listens', portArgument)
    .option('--metrics-port <port>', 'where /metrics, /healthz and /readyz are', portArgument)
    .action(async (options: { port?: number; metricsPort?: number }, command: Command) => {
      const context = contextOf(command, surroundings, {
        'api.port': { flag: '--port', value: options.port },
        'ops.port': { flag: '--metrics-port', value: options.metricsPort },
      })
      const { config, logger, out } = context
      finish(
        await runProcess({
          name: 'api',
          logger,
          start: async () => {
            await using stack = new AsyncDisposableStack()
            const meters = createMeters()
            stack.use(measureProcess(meters))
            const { db } = stack.use(await openLedger(context, { name: 'api', logger }))
            const api = stack.use(
              await startApi(
                { ...config.api, events: eventsConfigOf(config.ingest) },
                { db, serverSecret: serverSecretOf(context), logger, meters },
              ),
            )
            const ready = async (): Promise<Record<string, { ok: boolean }>> => {
              await db.query('select 1')
              return { database: { ok: true } }
            }
            const ops = stack.use(await startOps({ ...config.ops, meters, ready }))
            if (out.json) out.value({ api: api.url, metrics: ops.url })
            else out.note(`api ${api.url}, metrics ${ops.url}`)
            return stack.move()
          },
        }),
      )
    })
}

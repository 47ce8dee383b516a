import type { Command } from 'commander'
import { systemClock } from '@ascribe/kit'
import { createMeters, measureProcess, runProcess, startOps, tryLock } from '@ascribe/service'
import { alertSecrets } from '@ascribe/identity'
import { createTrail } from '@ascribe/ledger'
import { createSettler } from '@ascribe/settler'
import { portArgument } from '../arguments.ts'
import { auditSignerOf } from '../audit-key.ts'
import { openBroker } from '../broker.ts'
import { contextOf } from '../command.ts'
import { openLedger } from '../open-ledger.ts'
import type { Finish } from '../finish.ts'
import { serverSecretOf } from '../server-secret.ts'
import { createReadiness } from '../readiness.ts'
import { settleInBackground } from '../settle-in-background.ts'
import type { Surroundings } from '../surroundings.ts'

/** `ascribe settler`. */
export function configureSettler(root: Command, surroundings: Surroundings, finish: Finish): void {
  root
    .option('--metrics-port <port>', 'where /metrics, /healthz and /readyz are', portArgument)
    .addHelpText(
      'after',
      `
Only one works on a data directory; a second one waits for its turn. With nats.url set it also takes what gateways of other machines
send; any number of settlers, each with a data directory of its own, share that work.

Examples:
  ascribe settler
  ASCRIBE_NATS_URL=nats://broker:4222 DATABASE_URL=postgres://… ascribe settler --data /var/lib/ascribe`,
    )
    .action(async (options: { metricsPort?: number }, command: Command) => {
      const context = contextOf(command, surroundings, { 'ops.port': { flag: '--metrics-port', value: options.metricsPort } })
      const { config, dir, logger, out } = context
      finish(
        await runProcess({
          name: 'settler',
          logger,
          start: async (scope) => {
            await using stack = new AsyncDisposableStack()
            const meters = createMeters()
            stack.use(measureProcess(meters))
            const readiness = createReadiness()
            const ops = stack.use(await startOps({ ...config.ops, meters, ready: readiness.report }))
            const { db } = stack.use(await openLedger(context, { name: 'settler', logger }))
            const nats = openBroker(config, { name: 'settler', logger })
            if (nats !== undefined) stack.use(nats)
            const settler = createSettler({
              db,
              journal: dir.journal,
              policy: dir.policy,
              tryLock,
              clock: systemClock,
              logger,
              meters,
              ...(nats !== undefined && { nats }),
              trail: stack.use(createTrail({ db, signer: auditSignerOf(context), logger, meters })),
              webhookSecrets: (alert) => alertSecrets(serverSecretOf(context), alert),
            })
            stack.use(settleInBackground(settler, { lockPath: dir.settlerLock, scope }))
            readiness.watch('settler', () => settler.trouble)
            stack.defer(readiness.stopping)
            if (out.json) out.value({ metrics: ops.url })
            else out.note(`settler at work, metrics ${ops.url}`)
            return stack.move()
          },
        }),
      )
    })
}

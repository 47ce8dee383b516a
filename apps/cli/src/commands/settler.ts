import type { Command } from 'commander'
import { systemClock } from '@ascribe/kit'
import { createMeters, measureProcess, runProcess, startOps, tryLock } from '@ascribe/service'
import { createSettler } from '@ascribe/settler'
import { portArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import { openLedger } from '../open-ledger.ts'
import type { Finish } from '../finish.ts'
import { createReadiness } from '../readiness.ts'
import { settleInBackground } from '../settle-in-background.ts'
import type { Surroundings } from '../surroundings.ts'

/** `ascribe settler`. */
export function configureSettler(root: Command, surroundings: Surroundings, finish: Finish): void {
  root
    .option('--metrics-port <port>', 'where /metrics, /healthz and /readyz are', portArgument)
    .addHelpText('after', '\nOnly one works on a data directory; a second one waits for its turn.')
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
            const settler = createSettler({ db, journal: dir.journal, policy: dir.policy, tryLock, clock: systemClock, logger, meters })
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

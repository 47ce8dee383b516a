import { hostname } from 'node:os'
import type { Command } from 'commander'
import { startMinter, tellMintDays } from '@ascribe/controller'
import { InputError, systemClock } from '@ascribe/kit'
import { openJournalWriter } from '@ascribe/journal'
import { DEFAULT_NAMESPACE } from '@ascribe/kinds'
import { createMeters, measureProcess, runProcess, tryLock } from '@ascribe/service'
import { portArgument } from '../arguments.ts'
import { openBroker, shipInBackground } from '../broker.ts'
import { controllerCloudOf } from '../cloud/controller-cloud.ts'
import { createMintLog } from '../cloud/mint-log.ts'
import { contextOf } from '../command.ts'
import type { Context } from '../context.ts'
import { prepareDataDir } from '../data-dir.ts'
import type { Finish } from '../finish.ts'
import { kubeconfigOf } from '../kube/kubeconfig-of.ts'
import type { Surroundings } from '../surroundings.ts'

type MinterFlags = {
  readonly kubeconfig?: string
  readonly socket?: string
  readonly port?: number
  readonly host: string
  readonly healthPort?: number
  readonly metricsPort?: number
  readonly allowStaging?: boolean
}

/** `ascribe minter`. */
export function configureMinter(root: Command, surroundings: Surroundings, finish: Finish): void {
  root
    .option('--kubeconfig <file>', 'the management cluster; without it KUBECONFIG, or the cluster that this runs in')
    .option('--port <port>', 'where service accounts of the cluster ask, over TLS (0 takes a free one)', portArgument)
    .option('--host <host>', 'address of that port', '127.0.0.1')
    .option('--socket <path>', 'where processes of this user ask, on this machine')
    .option('--health-port <port>', 'where /healthz and /readyz are (default: a free one)', portArgument)
    .option('--metrics-port <port>', 'where /metrics is (default: ops.port if it is set, else a free one)', portArgument)
    .option('--allow-staging', 'let Impersonators name an authorization server for trials')
    .addHelpText('after', HELP)
    .action(async (flags: MinterFlags, command: Command) => {
      const context = contextOf(command, surroundings, { 'ops.port': { flag: '--metrics-port', value: flags.metricsPort } })
      finish(await run(context, flags, surroundings))
    })
}

const HELP = `
Reads the client Secrets of CloudSigmaImpersonators and mints: the one process that holds what can act as every user of the cloud.
It hands out tokens of single users, each for a CloudSigmaOwnerBinding that it sees itself, to the controller; the API learns from
it who somebody is. Every token is in its trail (DIR/audit) before it is handed out.

Tell the others where it is, and take the client secret away from them:
  CLOUDSIGMA_MINTER_URL and CLOUDSIGMA_MINTER_TOKEN_FILE, or CLOUDSIGMA_MINTER_SOCKET

Examples:
  ascribe minter --kubeconfig ~/.kube/config --socket ~/.ascribe/minter.sock
  ascribe minter --host 0.0.0.0 --port 9444 --health-port 9440 --metrics-port 8080 --json`

async function run(context: Context, flags: MinterFlags, { env }: Surroundings): Promise<number> {
  const { config, dir, logger, out, loaded } = context
  const { host } = config.ops
  const opsPort = loaded.sources.get('ops.port')?.kind === 'default' ? 0 : config.ops.port
  const kubeconfig = kubeconfigOf(flags.kubeconfig, env)
  if (flags.socket === undefined && flags.port === undefined)
    throw new InputError('Cannot serve the minter: say --port, --socket, or both', {
      hint: 'A port is for service accounts of the cluster, a socket for processes of this machine.',
    })
  return runProcess({
    name: 'minter',
    logger,
    start: async (scope) => {
      await using stack = new AsyncDisposableStack()
      const meters = createMeters()
      stack.use(measureProcess(meters))
      prepareDataDir(dir)
      const cloud = controllerCloudOf(config.cloud, { allowStaging: flags.allowStaging === true })
      if (cloud.minter !== undefined)
        throw new InputError('Cannot mint here: CLOUDSIGMA_MINTER_URL or CLOUDSIGMA_MINTER_SOCKET names another minter')
      const nats = openBroker(config, { name: 'minter', logger })
      if (nats !== undefined) {
        stack.use(nats)
        stack.use(shipInBackground(nats, { dir, logger, meters, scope }))
      }
      // Of the days' counts, which go the way of usage to each owner's log.
      const journal = stack.use(await openJournalWriter({ root: dir.journal, tryLock, clock: systemClock, logger, meters, ack: 'durable' }))
      const minter = stack.use(
        await startMinter(
          {
            kubeconfig,
            systemNamespace: env['POD_NAMESPACE'] ?? DEFAULT_NAMESPACE,
            listen: flags.port === undefined ? undefined : { host: flags.host, port: flags.port },
            socketPath: flags.socket,
            health: { host, port: flags.healthPort ?? 0 },
            metrics: { host, port: opsPort },
          },
          { cloud, audit: createMintLog(dir.mintLog, tryLock), logger, meters },
          scope,
        ),
      )
      stack.use(tellMintDays({ path: dir.mintLog, journal, controller: hostname(), clock: systemClock, logger }))
      const { health, metrics, url, socket } = minter
      if (out.json)
        out.value({ ready: true, health, metrics, minter: url ?? socket, ...(url !== undefined && socket !== undefined && { socket }) })
      else
        out.note(
          `minter at work: ${[url, socket].filter((each) => each !== undefined).join(' and ')}, health ${health}, metrics ${metrics}`,
        )
      return stack.move()
    },
  })
}

import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { Option } from 'commander'
import type { Command } from 'commander'
import { startController } from '@ascribe/controller'
import type { CloudFromEnvironment, ControllerDeps, ControllerSettings } from '@ascribe/controller'
import { InputError, systemClock } from '@ascribe/kit'
import { openJournalWriter } from '@ascribe/journal'
import { DEFAULT_NAMESPACE } from '@ascribe/kinds'
import { createMeters, measureProcess, runProcess, tryLock } from '@ascribe/service'
import { countArgument, durationArgument, portArgument } from '../arguments.ts'
import { openBroker, shipInBackground } from '../broker.ts'
import { controllerCloudOf } from '../cloud/controller-cloud.ts'
import { createMintLog } from '../cloud/mint-log.ts'
import { contextOf } from '../command.ts'
import type { Context } from '../context.ts'
import { prepareDataDir } from '../data-dir.ts'
import type { DataDir } from '../data-dir.ts'
import type { Finish } from '../finish.ts'
import { kubeconfigOf } from '../kube/kubeconfig-of.ts'
import type { Surroundings } from '../surroundings.ts'

type ControllerFlags = {
  readonly kubeconfig?: string
  readonly namespace?: string
  readonly sync: number
  readonly concurrency: number
  readonly leaderElect?: boolean
  readonly kdcBridge?: boolean
  readonly listGrace: number
  readonly healthPort?: number
  readonly metricsPort?: number
  readonly watchFilter?: string
  readonly allowStaging?: boolean
  readonly brokerPort?: number
  readonly brokerHost: string
  readonly brokerCert?: string
  readonly brokerKey?: string
}

const SYNC_MS = 60_000
const LIST_GRACE_MS = 30_000
const CONCURRENCY = 16

/** `ascribe controller`. */
export function configureController(root: Command, surroundings: Surroundings, finish: Finish): void {
  root
    .option('--kubeconfig <file>', 'the management cluster; without it KUBECONFIG, or the cluster that this runs in')
    .option('--namespace <name>', 'only objects of this namespace')
    .option('--watch-filter <value>', 'only objects whose label cluster.x-k8s.io/watch-filter has this value')
    .addOption(new Option('--sync <duration>', 'how often machines are looked at').argParser(durationArgument).default(SYNC_MS, '60s'))
    .addOption(
      new Option('--list-grace <duration>', "how long a new machine may be missing from the cloud's lists")
        .argParser(durationArgument)
        .default(LIST_GRACE_MS, '30s'),
    )
    .option('--concurrency <count>', 'machines at a time, of all owners', countArgument, CONCURRENCY)
    .option('--leader-elect', 'work only while holding the lease; wait for it otherwise')
    .option('--kdc-bridge', 'make CloudSigmaClusters and templates of KdcClusters')
    .option('--health-port <port>', 'where /healthz and /readyz are (default: a free one)', portArgument)
    .option('--metrics-port <port>', 'where /metrics is (default: ops.port if it is set, else a free one)', portArgument)
    .option('--broker-port <port>', 'where programs of clusters ask for the cloud (default: nowhere)', portArgument)
    .option('--broker-host <host>', 'address of the broker; beyond loopback it needs a certificate', '127.0.0.1')
    .option('--broker-cert <file>', 'certificate chain of the broker, PEM')
    .option('--broker-key <file>', 'its key, PEM')
    .option('--allow-staging', 'let Impersonators name an authorization server for trials')
    .addHelpText('after', HELP)
    .action(async (flags: ControllerFlags, command: Command) => {
      const context = contextOf(command, surroundings, { 'ops.port': { flag: '--metrics-port', value: flags.metricsPort } })
      finish(await run(context, flags, surroundings))
    })
}

const HELP = `
Makes the machines of CloudSigmaMachines in the accounts of their owners, and deletes them. Who may be acted for is said by
CloudSigmaImpersonators and CloudSigmaOwnerBindings; without an Impersonator the variables of \`ascribe whoami\` stand in its place.
Acts and usage go into DIR/journal: run a settler on the same data directory, or set ASCRIBE_NATS_URL. Install first,
definitions and policies (a controller outside the cluster needs no more of it; scale its Deployment to zero):

  ascribe manifests | kubectl apply --server-side -f -

Examples:
  ascribe controller --kubeconfig ~/.kube/config
  ascribe controller --kubeconfig ~/.kube/config --leader-elect --kdc-bridge --health-port 9440 --metrics-port 8080 --json
  ascribe controller --namespace team-a --watch-filter blue`

function brokerOf({ brokerPort, brokerHost, brokerCert, brokerKey }: ControllerFlags): ControllerSettings['broker'] {
  if (brokerPort === undefined) return undefined
  const listen = { host: brokerHost, port: brokerPort }
  if (brokerCert === undefined && brokerKey === undefined) return { listen }
  if (brokerCert === undefined || brokerKey === undefined)
    throw new InputError('Cannot serve the broker: --broker-cert and --broker-key go together')
  return { listen, tls: { certFile: brokerCert, keyFile: brokerKey } }
}

async function run(context: Context, flags: ControllerFlags, { env }: Surroundings): Promise<number> {
  const { config, dir, logger, out, loaded } = context
  const { host } = config.ops
  // What somebody has set is meant; the default is for `ascribe up`, of which a machine has one.
  const opsPort = loaded.sources.get('ops.port')?.kind === 'default' ? 0 : config.ops.port
  const kubeconfig = kubeconfigOf(flags.kubeconfig, env)
  return runProcess({
    name: 'controller',
    logger,
    start: async (scope) => {
      await using stack = new AsyncDisposableStack()
      const meters = createMeters()
      stack.use(measureProcess(meters))
      prepareDataDir(dir)
      const cloud = controllerCloudOf(config.cloud, { allowStaging: flags.allowStaging === true })
      const nats = openBroker(config, { name: 'controller', logger })
      if (nats !== undefined) {
        stack.use(nats)
        stack.use(shipInBackground(nats, { dir, logger, meters, scope }))
      }
      const journal = stack.use(await openJournalWriter({ root: dir.journal, tryLock, clock: systemClock, logger, meters, ack: 'durable' }))
      const controller = stack.use(
        await startController(
          {
            kubeconfig,
            namespace: flags.namespace,
            watchFilter: flags.watchFilter,
            syncMs: flags.sync,
            listGraceMs: flags.listGrace,
            concurrency: flags.concurrency,
            leaderElect: flags.leaderElect === true,
            kdcBridge: flags.kdcBridge === true,
            broker: brokerOf(flags),
            systemNamespace: env['POD_NAMESPACE'] ?? DEFAULT_NAMESPACE,
            identity: `${hostname()}_${randomUUID()}`,
            health: { host, port: flags.healthPort ?? 0 },
            metrics: { host, port: opsPort },
          },
          { cloud, journal, ...trailOf(cloud, dir), logger, meters },
          scope,
        ),
      )
      const { health, metrics } = controller
      if (out.json) out.value({ ready: true, health, metrics })
      else out.note(`controller at work: health ${health}, metrics ${metrics}`)
      return stack.move()
    },
  })
}

/**
 * Where tokens are minted elsewhere, the trail is there too. What this one minted before it had a minter is still told to owners by its own:
 * a day that was not over then, or the last ones before an upgrade.
 */
function trailOf({ minter }: CloudFromEnvironment, dir: DataDir): Pick<ControllerDeps, 'audit' | 'mintTrail'> {
  return { audit: minter === undefined ? createMintLog(dir.mintLog, tryLock) : async () => {}, mintTrail: dir.mintLog }
}

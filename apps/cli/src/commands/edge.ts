import type { Command } from 'commander'
import { startEdge } from '@ascribe/edge'
import { createMeters, measureProcess, runProcess, startOps } from '@ascribe/service'
import { portArgument } from '../arguments.ts'
import { followPolicy, openBroker } from '../broker.ts'
import { contextOf } from '../command.ts'
import { prepareDataDir } from '../data-dir.ts'
import { edgeConfigOf } from '../edge-settings.ts'
import type { Finish } from '../finish.ts'
import { createReadiness } from '../readiness.ts'
import { serverSecretOf } from '../server-secret.ts'
import type { Surroundings } from '../surroundings.ts'

type EdgeOptions = { readonly port?: number; readonly metricsPort?: number; readonly trustForwardedFrom?: string }

/** How long open questions of proxies may go on after the wish to stop. */
const GRACE_MS = 5_000

/** `ascribe edge`. */
export function configureEdge(root: Command, surroundings: Surroundings, finish: Finish): void {
  root
    .option('--port <port>', 'where it listens', portArgument)
    .option('--metrics-port <port>', 'where /metrics, /healthz and /readyz are', portArgument)
    .option('--trust-forwarded-from <networks>', 'comma-separated networks of proxies whose X-Forwarded-* are believed')
    .addHelpText(
      'after',
      `
Traefik (ForwardAuth), nginx (auth_request) and Caddy (forward_auth) ask it about each request: 204 with X-Saturn-Auth-Id and its like, or
401, 403, 503. Keys come from the data directory of a gateway or settler, or over nats.url. Which resource is at which host or path says
edge.rules; tokens of an issuer, edge.jwt. See deploy/ and docs/guides/edge.md, and prove the whole chain with: ascribe doctor --edge URL

Examples:
  ascribe edge --port 8085
  ascribe edge --data /var/lib/ascribe --config edge.yaml --json`,
    )
    .action(async (options: EdgeOptions, command: Command) => {
      const context = contextOf(command, surroundings, {
        'edge.port': { flag: '--port', value: options.port },
        'ops.port': { flag: '--metrics-port', value: options.metricsPort },
        'edge.trust_forwarded_from': { flag: '--trust-forwarded-from', value: options.trustForwardedFrom },
      })
      const { config, dir, logger, out } = context
      const edgeConfig = edgeConfigOf(config.edge, config.gateway.header_prefix)
      finish(
        await runProcess({
          name: 'edge',
          logger,
          start: async (scope) => {
            await using stack = new AsyncDisposableStack()
            const meters = createMeters()
            stack.use(measureProcess(meters))
            const readiness = createReadiness()
            const ops = stack.use(await startOps({ ...config.ops, meters, ready: readiness.report }))
            prepareDataDir(dir)
            const nats = openBroker(config, { name: 'edge', logger })
            if (nats !== undefined) {
              stack.use(nats)
              stack.use(followPolicy(nats, { dir, logger, scope }))
              readiness.watch('broker', () => nats.trouble, { isVital: false })
            }
            const edge = await startEdge(edgeConfig, { policy: dir.policy, serverSecret: serverSecretOf(context), logger, meters })
            stack.defer(() => edge.close({ graceMs: GRACE_MS }))
            readiness.watch('keys', () => edge.unready)
            // Keys of ours are served all the same.
            readiness.watch('issuer', () => edge.issuerTrouble, { isVital: false })
            stack.defer(readiness.stopping)
            if (out.json) out.value({ edge: edge.url, metrics: ops.url })
            else out.note(`edge ${edge.url}, metrics ${ops.url}`)
            return stack.move()
          },
        }),
      )
    })
}

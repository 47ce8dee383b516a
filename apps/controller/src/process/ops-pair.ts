import type { Meters } from '@ascribe/kit'
import { startOps } from '@ascribe/service'
import type { HostPort, OpsServer, ReadyReport } from '@ascribe/service'

type Listening = {
  readonly meters: Meters & { render(): string }
  readonly report: { readonly now: () => ReadyReport }
  readonly stack: AsyncDisposableStack
}

/** Health and metrics: one listener when both have one port, which is the usual way to say so. */
export async function startOpsPair(
  { health, metrics }: { readonly health: HostPort; readonly metrics: HostPort },
  { meters, report, stack }: Listening,
): Promise<{ health: OpsServer; metrics: OpsServer }> {
  const ready = (): ReadyReport => report.now()
  const first = stack.use(await startOps({ ...health, meters, ready }))
  const isOne = health.port !== 0 && health.port === metrics.port
  return { health: first, metrics: isOne ? first : stack.use(await startOps({ ...metrics, meters, ready })) }
}

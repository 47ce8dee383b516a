import {
  SealedText,
  constantSecret,
  createHttpTransport,
  createIssuer,
  createRegionTable,
  createTokenSource,
  impersonateUser,
  requestRpt,
  requestServiceToken,
} from '@ascribe/impersonation'
import { startSandboxCloud } from '@ascribe/sandbox'

export type FirstRun = {
  readonly totalMs: number
  readonly stepsMs: number
  readonly runs: readonly { totalMs: number; stepsMs: number }[]
}

/** A token from nothing, beside its three upstream calls by themselves; new connections for both, in turns. Medians. */
export async function measureFirst(rounds: number): Promise<FirstRun> {
  await using cloud = await startSandboxCloud()
  const client = cloud.clients.find(({ id }) => id === 'kubernetes_cluster_service')
  const user = cloud.users.find(({ email }) => email === 'user@example.com')
  if (client === undefined || user === undefined) throw new Error('Cannot measure the first token: the sandbox has no such client or user')
  const issuer = createIssuer({ oauthUrl: cloud.oauthUrl, realm: cloud.realm })
  const regions = createRegionTable({ template: cloud.apiUrl })
  const owner = { ownerUuid: user.uuid, ownerEmail: user.email, region: 'zrh', bindingGeneration: 1 }

  async function whole(): Promise<number> {
    const startedAt = performance.now()
    using source = createTokenSource({
      issuer,
      clientId: client?.id ?? '',
      secret: constantSecret(client?.secret ?? ''),
      regions,
      audit: () => Promise.resolve(),
    })
    await source.token(owner)
    return performance.now() - startedAt
  }

  async function steps(): Promise<number> {
    using transport = createHttpTransport()
    const clientSecret = new SealedText(client?.secret ?? '')
    const startedAt = performance.now()
    const { token: serviceToken } = await requestServiceToken({ issuer, clientId: client?.id ?? '', clientSecret }, { transport })
    const { token: rpt } = await requestRpt({ issuer, serviceToken }, { transport })
    await impersonateUser({ endpoint: regions.endpoint('zrh'), rpt, serviceToken, ownerEmail: owner.ownerEmail }, { transport })
    return performance.now() - startedAt
  }

  const runs: { totalMs: number; stepsMs: number }[] = []
  await whole()
  for (let round = 0; round < rounds; round += 1) runs.push({ totalMs: await whole(), stepsMs: await steps() })
  return { totalMs: median(runs.map((run) => run.totalMs)), stepsMs: median(runs.map((run) => run.stepsMs)), runs }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

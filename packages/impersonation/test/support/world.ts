import assert from 'node:assert/strict'
import { constantSecret } from '../../src/client-secret.ts'
import type { ImpersonationError } from '../../src/errors.ts'
import { createIssuer } from '../../src/issuer.ts'
import type { MintAudit } from '../../src/mint-audit.ts'
import { createRegionTable } from '../../src/region-table.ts'
import { createTokenSource } from '../../src/token-source.ts'
import type { TokenRequest, TokenSource, TokenSourceOptions } from '../../src/token-source-types.ts'
import { createFakeClock } from './fake-clock.ts'
import type { FakeClock } from './fake-clock.ts'
import { createFakeSteps } from './fake-steps.ts'
import type { FakeSteps } from './fake-steps.ts'

export type World = {
  readonly clock: FakeClock
  readonly steps: FakeSteps
  readonly source: TokenSource
  readonly audits: MintAudit[]
  readonly meters: CountingMeters
}

/** Where the tokens of region zrh go. */
export const ORIGIN = 'https://direct.zrh.cloudsigma.com'

/** The UUID of user `n`. */
export function uuidOf(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
}

/** User `n`, whose address names the number, so that fake steps know whose it is. */
export function ownerOf(n: number, rest: Partial<TokenRequest> = {}): TokenRequest {
  return { ownerUuid: uuidOf(n), ownerEmail: `user${n}@example.com`, region: 'zrh', bindingGeneration: 1, ...rest }
}

export function userOfEmail(email: string): string {
  return uuidOf(Number(/\d+/.exec(email)?.[0] ?? 0))
}

/** A source on fake steps and a fake clock. */
export function createWorld(options: Partial<TokenSourceOptions> = {}): World {
  const clock = createFakeClock()
  const steps = createFakeSteps(userOfEmail)
  const audits: MintAudit[] = []
  const meters = createCountingMeters()
  const source = createTokenSource({
    issuer: createIssuer({ oauthUrl: 'https://oauth.example', realm: 'cloud' }),
    clientId: 'kubernetes_cluster_service',
    secret: constantSecret('s3cret'),
    regions: createRegionTable({ regions: ['zrh', 'sjc'] }),
    audit: async (record) => void audits.push(record),
    clock,
    steps,
    meters,
    random: () => 0.5,
    ...options,
    limits: { sweepMs: 0, ...options.limits },
  })
  return { clock, steps, source, audits, meters }
}

/** Meters that can be read: by name and labels as Prometheus writes them. */
export type CountingMeters = NonNullable<TokenSourceOptions['meters']> & {
  value(series: string): number
  readonly series: ReadonlyMap<string, number>
}

export function createCountingMeters(): CountingMeters {
  const series = new Map<string, number>()
  const seriesOf = (name: string, labels: Readonly<Record<string, string>> = {}): string => {
    const text = Object.entries(labels).map(([label, value]) => `${label}=${value}`)
    return text.length === 0 ? name : `${name}{${text.join(',')}}`
  }
  const add = (name: string, amount: number, labels?: Readonly<Record<string, string>>): void => {
    const key = seriesOf(name, labels)
    series.set(key, (series.get(key) ?? 0) + amount)
  }
  return {
    series,
    value: (key) => series.get(key) ?? 0,
    counter: (name) => ({ add: (amount = 1, labels) => add(name, amount, labels) }),
    gauge: (name) => ({ set: (value, labels) => void series.set(seriesOf(name, labels), value) }),
    histogram: (name) => ({ observe: (_value, labels) => add(`${name}_count`, 1, labels) }),
  }
}

/** The error that a promise rejects with, which must be one of ours with this reason. */
export async function refusalOf(promise: Promise<unknown>, reason: string): Promise<ImpersonationError> {
  const error: unknown = await promise.then(
    () => assert.fail(`expected ${reason}, got an answer`),
    (cause: unknown) => cause,
  )
  assert.equal((error as ImpersonationError).reason, reason, String(error))
  return error as ImpersonationError
}

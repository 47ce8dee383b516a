import type { Operation } from '@ascribe/contract/client'
import type * as operations from '@ascribe/contract/operations'
import { asOf, catalogue, costReport, usageReport } from './mock-reports.ts'
import type { ReportInput } from './mock-reports.ts'
import { moneyMocks } from './mock-money.ts'
import { peopleMocks } from './mock-people.ts'
import type { DevStateId } from './states.ts'

/** What a mock is asked. */
export type MockInput = {
  readonly state: DevStateId
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly now: number
}

type Operations = typeof operations
export type ReplyOf<Name extends keyof Operations> =
  Operations[Name] extends Operation<infer _P, infer _Q, infer _B, infer Reply> ? Reply : never
export type Mocks = { readonly [Name in keyof Operations]?: (input: MockInput) => ReplyOf<Name> }

const reportInput = ({ state, query, now }: MockInput): ReportInput => ({
  query,
  now,
  factor: state === 'zero' ? 0n : state === 'long-names' ? 90_000n : 1n,
  heldRecords: state === 'held' ? 1204 : 0,
  lagMs: state === 'stale' ? 3_600_000 : 0,
  ...((state === 'currencies' || state === 'adjustments' || state === 'many') && { extra: state }),
})

/** An answer of each operation that the pages read, in the types of the contract; a test checks them by its schemas (R12). */
export const MOCKS: Mocks = {
  ...peopleMocks,
  ...moneyMocks,
  getCosts: (input) =>
    input.state === 'new' ? { ...costReport(reportInput(input)), data: [], totals: [] } : costReport(reportInput(input)),
  getUsage: (input) => (input.state === 'new' ? { ...usageReport(reportInput(input)), data: [] } : usageReport(reportInput(input))),
  getFreshness: (input) => asOf(reportInput(input)),
  getCatalogue: (input) => (input.state === 'new' ? { data: [] } : catalogue(input.params['dimension'] ?? '', reportInput(input))),
}

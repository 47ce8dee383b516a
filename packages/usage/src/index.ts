export { unknownSettlement } from './record.ts'
export type { Api, Intent, Meters, Outcome, Provenance, Settlement, UsageRecord } from './record.ts'

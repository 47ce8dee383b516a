export { PLACE_ID_LENGTH_MAX } from './balance.ts'
export type { Balance, HealthCheck, HealthRule, Place, RetryRule } from './balance.ts'
export { isTemplate, parseTemplate } from './template.ts'
export type { UpstreamTemplate } from './template.ts'

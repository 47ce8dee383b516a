export { SCOPES } from './policy.ts'
export type { PolicyKey, PolicySnapshot, Scope } from './policy.ts'

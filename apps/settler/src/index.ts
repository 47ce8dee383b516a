export { publishPolicy } from './publish-policy.ts'
export { createSettler } from './settler.ts'
export type { Settler, SettlerDeps } from './settler.ts'

export { startEdge } from './start.ts'
export type { Edge, EdgeConfig, EdgeDeps, EdgeJwt } from './start.ts'
export type { ResourceRule } from './rules.ts'

export { startApi } from './start.ts'
export type { Api, ApiConfig, ApiDeps } from './start.ts'

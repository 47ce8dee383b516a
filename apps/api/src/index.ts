export { startApi } from './start.ts'
export type { Api, ApiConfig, ApiDeps } from './start.ts'
export type { EventsConfig } from './event-routes.ts'
export type { EventToken } from './event-sender.ts'

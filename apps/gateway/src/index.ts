export { catchAllRoute, parseUpstreamUrl } from './routes.ts'
export type { Route } from './routes.ts'
export { startGateway } from './start.ts'
export type { Gateway, GatewayBounds, GatewayConfig, GatewayDeps, GatewayPlaces } from './start.ts'

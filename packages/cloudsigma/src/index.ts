export { createCloudSigma } from './client.ts'
export type { CloudSigma, CloudSigmaOptions } from './client.ts'
export { createBasicAuthenticator } from './authenticator.ts'
export type { Authenticator, Authorization, BasicCredentials } from './authenticator.ts'
export type { CloudEndpoint } from './endpoint.ts'
export { createExchange } from './exchange.ts'
export type { Exchange, ExchangeOptions } from './exchange.ts'
export { CloudSigmaError, CloudSigmaRequestError, OwnerMismatchError } from './errors.ts'
export type { CloudFault, Effect, FaultKind } from './fault.ts'
export { assertOwner } from './made.ts'
export type { Made } from './made.ts'
export { isOwnedBy } from './objects.ts'
export type {
  Acl,
  CloudObject,
  Drive,
  DriveStatus,
  Ip,
  Job,
  Nic,
  Owner,
  Server,
  ServerDrive,
  ServerStatus,
  ServerSummary,
  Tag,
  Vlan,
} from './objects.ts'
export { Hidden, Meta } from './hidden.ts'
export { createPace } from './pace.ts'
export type { CloudLimits, Pace } from './pace.ts'
export { devChannelOf } from './specs.ts'
export type { NicSpec, ServerDriveSpec } from './specs.ts'
export { serverSpecOf } from './server-spec.ts'
export type { ServerSpec } from './server-spec.ts'
export type { ActionReply, ListFilter, ServerAction } from './servers.ts'
export type { CloneSpec, DriveSpec } from './drives.ts'
export type { Balance, Capabilities, CurrentUsage, Location, LogEntry, Profile, Subscription } from './account.ts'
export type { TagSpec } from './tags.ts'
export type { ListOptions } from './pages.ts'
export type { CallOptions, CallSeen } from './transport.ts'

export { constantSecret, fileSecret } from './client-secret.ts'
export type { ClientSecret, ClientSecretSource } from './client-secret.ts'
export { systemTokenClock } from './clock.ts'
export type { TokenClock } from './clock.ts'
export {
  AnswerInvalidError,
  AuditFailedError,
  ClientRefusedError,
  ClientSecretError,
  ImpersonationError,
  ImpersonationInputError,
  MintThrottledError,
  MintUnavailableError,
  NotAuthorizedError,
  OwnerRefusedError,
  RegionTableError,
  RegionUnknownError,
  SubjectMismatchError,
  TokenUnusableError,
} from './errors.ts'
export type { ImpersonationErrorFields, MintStep, Reason } from './errors.ts'
export { createHttpTransport } from './http-transport.ts'
export type { HttpTransport, HttpTransportOptions } from './http-transport.ts'
export type { ImpersonatedToken } from './impersonated-token.ts'
export { impersonateUser } from './impersonate-user.ts'
export type { ImpersonateRequest } from './impersonate-user.ts'
export type { TokenMeters } from './instruments.ts'
export { createIssuer } from './issuer.ts'
export type { Issuer, IssuerOptions } from './issuer.ts'
export type { Actor, AuditSink, MintAudit } from './mint-audit.ts'
export type { MintSteps } from './mint-steps.ts'
export type { Discovered } from './minter.ts'
export type { OwnerReport } from './owners.ts'
export { readProfile } from './read-profile.ts'
export type { Profile } from './read-profile.ts'
export { DEFAULT_TEMPLATE, createRegionTable } from './region-table.ts'
export type { RegionEndpoint, RegionEntry, RegionTable, RegionTableOptions } from './region-table.ts'
export { requestRpt } from './request-rpt.ts'
export type { RptRequest } from './request-rpt.ts'
export { requestServiceToken } from './request-service-token.ts'
export type { ServiceTokenRequest } from './request-service-token.ts'
export type { StepOptions } from './call-step.ts'
export { SealedText } from './sealed-text.ts'
export { decodeClaims } from './token-claims.ts'
export type { TokenClaims } from './token-claims.ts'
export type { TokenResponse } from './token-response.ts'
export { MINTER_NAME, createMinterChannel } from './minter-channel.ts'
export type { MinterChannel, MinterChannelOptions } from './minter-channel.ts'
export {
  DISCOVER_PATH,
  TOKEN_PATH,
  formatMintError,
  formatTokenAnswer,
  parseDiscoverQuestion,
  parseTokenQuestion,
} from './minter-protocol.ts'
export type { DiscoverQuestion, MintRecord, TokenAnswer, TokenQuestion } from './minter-protocol.ts'
export { createRemoteTokenSource, createTokenSource } from './token-source.ts'
export type {
  Authenticator,
  DiscoverRequest,
  OwnerRequest,
  RemoteSourceOptions,
  SourceOptions,
  TokenLimits,
  TokenReport,
  TokenRequest,
  TokenSource,
  TokenSourceOptions,
  TokenSourceReport,
} from './token-source-types.ts'
export { TransportError } from './wire.ts'
export type { Transport, WireRequest, WireResponse } from './wire.ts'
export { createTurnstile } from './turnstile.ts'
export type { Turnstile } from './turnstile.ts'

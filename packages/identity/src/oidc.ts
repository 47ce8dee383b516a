export { createOidcClient, newLoginSecrets } from './oidc/client.ts'
export type {
  LoginDenied,
  LoginOutcome,
  LoginSecrets,
  LogoutOutcome,
  OidcClient,
  OidcClientOptions,
  RefreshOutcome,
  RefreshableSignIn,
  SignedIn,
} from './oidc/types.ts'
export { createIssuerCache } from './oidc/issuer-cache.ts'
export type { IssuerCacheOptions } from './oidc/issuer-cache.ts'
export { seal, unseal } from './sealed-box.ts'
export type { SealContext } from './sealed-box.ts'

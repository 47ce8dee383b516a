export {
  chooseOrganization,
  claimRefresh,
  createWebSession,
  endWebSession,
  endWebSessionsOf,
  findWebSession,
  postponeRefresh,
  storeRefreshed,
  touchWebSession,
} from './sessions/web-sessions.ts'
export type { IssuerSignOut, NewWebSession, Refreshed, RefreshClaim, SessionTime, WebSession } from './sessions/web-sessions.ts'
export { readUserOrganizations } from './sessions/user-organizations.ts'
export type { UserOrganization, UserOrganizationsQuery } from './sessions/user-organizations.ts'

export { getAccessLog } from './access-log.ts'
export type { AccessLogLine, AccessLogPageJson, LogHead } from './access-log.ts'
export { endOwnBudget, setOwnBudget } from './writes/budget-routes.ts'
export type { OwnBudget, SetBudget } from './writes/budget-routes.ts'
export { createKey, revokeKey, rotateKey } from './writes/key-routes.ts'
export type { KeyParams, MadeKey, NewKey, RotateKey, RotatedKey } from './writes/key-types.ts'
export {
  approveSupportRequest,
  closeSupportWindow,
  getSupportAccess,
  listSupportRequests,
  openSupportWindow,
  refuseSupportRequest,
  revokeSupportRequest,
  setSupportAccess,
} from './writes/support-routes.ts'
export type { PageQuery, SupportAccess, SupportRequestJson } from './writes/support-types.ts'

export { exportAccessLog, getAccessLog, verifyAccessLog } from './access-log.ts'
export type { AccessLogCheck, AccessLogLine, AccessLogPageJson, AccessLogQuery, LogHead } from './access-log.ts'
export { endOwnBudget, rotateWebhookSecret, setOwnBudget } from './writes/budget-routes.ts'
export type { OwnBudget, RotateWebhookSecret, SetBudget, WebhookSecret } from './writes/budget-routes.ts'
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
export { createCluster } from './writes/cluster-routes.ts'
export type { CreatedCluster, NewCluster } from './writes/cluster-types.ts'

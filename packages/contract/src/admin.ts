export {
  changeOrganization,
  createOrganization,
  endOrganization,
  getAdminOrganization,
  listOrganizations,
} from './admin/organization-routes.ts'
export type { AdminOrganization, NewAdminOrganization, OrganizationChange } from './admin/organization-routes.ts'
export {
  endGroup,
  endMember,
  endResource,
  endUser,
  listGroups,
  listResources,
  listUsers,
  putGroup,
  putMember,
  putResource,
  putUser,
} from './admin/directory-routes.ts'
export {
  applyPrices,
  diffPrices,
  endBudget,
  endLimit,
  grantCredit,
  listAllBudgets,
  listGrantedCredits,
  listLimits,
  listPrices,
  setBudget,
  setLimit,
  topUpBudget,
  voidCredit,
} from './admin/money-routes.ts'
export type { ApplyPrices, PriceOutcome } from './admin/money-routes.ts'
export { endTerms, listTerms, setTerms } from './admin/terms-routes.ts'
export { getOwner, listOwners, putOwner, setFaults } from './admin/owner-routes.ts'
export type { FaultInput } from './admin/owner-routes.ts'

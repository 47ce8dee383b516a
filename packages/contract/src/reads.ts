export { READ_ROUTES } from './reads/routes.ts'
export {
  getDailyCostBreakdown,
  getDailyCosts,
  getReferenceOrganization,
  listReferenceCredits,
  listReferenceInvoices,
  listReferenceRegions,
} from './reads/reference-routes.ts'
export type {
  DailyCostBreakdownResponse,
  DailyCostResponse,
  OrganizationResponse,
  Paginated,
  ReferenceAccount,
  ReferenceCluster,
  ReferenceComputePrice,
  ReferenceCost,
  ReferenceCostBucket,
  ReferenceCreditBlock,
  ReferenceInvoice,
  ReferenceInvoicesQuery,
  ReferenceRegion,
  ReferenceStoragePrice,
  ReferenceWindowQuery,
} from './reads/reference-types.ts'

export { getCatalogue, getCosts, getFreshness, getUsage } from './reads/cost-routes.ts'
export type {
  AsOf,
  CatalogueName,
  CataloguePageJson,
  CatalogueQuery,
  CostDimension,
  CostEntry,
  CostReport,
  CostsQuery,
  DimensionParams,
  FreshnessQuery,
  ReportFilter,
  ReportGrain,
  ReportKeys,
  ReportQuery,
  Total,
  UsageDimension,
  UsageEntry,
  UsageQuery,
  UsageReport,
} from './reads/cost-types.ts'

export { exportCharges, getCharge, getRecord, listChargeRecords, listCharges, listRecords } from './reads/detail-routes.ts'
export type {
  ChargeDetail,
  ChargeJson,
  ChargeParams,
  ChargesPage,
  ChargesQuery,
  ExportQuery,
  PriceJson,
  RecordChargeJson,
  RecordJson,
  RecordParams,
  RecordState,
  RecordsPage,
  RecordsQuery,
} from './reads/detail-types.ts'

export { getInvoice, listBudgets, listCredits, listInvoices, listStatements, printInvoice } from './reads/money-routes.ts'
export type {
  BudgetJson,
  BudgetsReply,
  CreditsReply,
  InvoiceDetail,
  InvoiceJson,
  InvoiceParams,
  InvoicesPage,
  InvoicesQuery,
  StatementsPage,
} from './reads/money-types.ts'

export { getOrganization, listApiKeys, listGroups, listMembers, listModels, listResources } from './reads/directory-routes.ts'
export type {
  ApiKeyJson,
  ApiKeysPage,
  GroupsPage,
  ListQuery,
  MembersPage,
  ModelsReply,
  OrganizationJson,
  ResourceJson,
  ResourcesPage,
  ResourcesQuery,
} from './reads/directory-types.ts'

export { getMachine, listMachines } from './reads/machine-routes.ts'
export type {
  MachineAct,
  MachineDetail,
  MachineInterval,
  MachineJson,
  MachineLine,
  MachineParams,
  MachineQuery,
  MachinesPage,
  MachinesQuery,
  MachineState,
} from './reads/machine-types.ts'

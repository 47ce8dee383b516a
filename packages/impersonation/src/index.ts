export { createRegionTable } from './region-table.ts'
export type { RegionEndpoint, RegionEntry, RegionTable, RegionTableOptions } from './region-table.ts'

export { createIdSource, isUuid } from './id.ts'
export type { EventId } from './id.ts'

export { isSidePayload, machineModelOf, ownerAuthId, platformAuthId, unknownAct } from './act.ts'
export type {
  ActAccountKind,
  ActIntent,
  ActOutcome,
  ActRecord,
  ActVerb,
  MachineNote,
  MachineState,
  MintDay,
  SideRecord,
  StatedUsage,
} from './act.ts'
export { boundText } from './bound-text.ts'
export { isMediaApi } from './media/media-asked.ts'
export type { MediaAsked } from './media/media-asked.ts'
export { scanMultipart } from './media/multipart.ts'
export { SEARCH_UNIT_DOCUMENTS } from './media/settle-media.ts'
export type { Asked, Observation } from './observation.ts'
export { ATTEMPTS_MAX, unknownSettlement } from './record.ts'
export type { Api, Attempt, Intent, Meters, Outcome, Provenance, Settlement, UsageRecord } from './record.ts'
export type { ReplyEnd, ReplyReader, Step } from './reply.ts'
export { createReplyReader } from './reply-reader.ts'
export type { ReplyReaderOptions } from './reply-reader.ts'
export { ReplyText, promptTexts } from './reply-text.ts'
export { scanRequest } from './request-scan.ts'
export type { InvalidRequest, RequestFacts, RequestScan } from './request-scan.ts'
export { spliceIncludeUsage } from './request-splice.ts'
export type { Splice } from './request-splice.ts'
export { settle } from './settle.ts'
export type { Ending, MultipleChoices } from './settle.ts'

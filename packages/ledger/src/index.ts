export { LedgerInputError } from './errors.ts'
export { ledgerMigrations, migrateLedger, pendingLedgerMigrations } from './schema.ts'
export type { Start } from './instants.ts'

export {
  createOrganization,
  findOrganization,
  listOrganizations,
  moveOrganization,
  renameOrganization,
  streamOrganizations,
} from './organizations.ts'
export type { MoveOutcome, NewOrganization, Organization, OrganizationFilter } from './organizations.ts'
export { createCredential, findCredentialByPublicId, revokeCredential } from './credentials.ts'
export type { CreateCredentialOutcome, CredentialProof, CredentialState, NewCredential, NewSecret } from './credentials.ts'
export { listCredentials, streamCredentials } from './directory/list-credentials.ts'
export type { Credential, CredentialFilter, CredentialSecret } from './directory/list-credentials.ts'
export { revokeSecret, rotateCredential } from './directory/secrets.ts'
export type { RotateOutcome, Rotation, SecretEndCause } from './directory/secrets.ts'
export { mapAuthId } from './mappings.ts'
export type { MapOutcome, NewMapping } from './mappings.ts'
export { POLICY_CHANNEL, advancePolicy, bumpPolicy, readPolicySnapshot, readPolicyVersion } from './policy.ts'
export type { PolicyChange, PolicyVersion } from './policy.ts'

export { USAGE_CHANNEL, ingestBatch, ingestBatches } from './ingest.ts'
export type { Batch, Delivery, IngestSummary } from './ingest.ts'
export { readPosition, readPositions } from './positions.ts'
export type { WriterPosition } from './positions.ts'
export { preparePartitions } from './partitions.ts'
export { listQuarantine, replayQuarantine } from './quarantine.ts'
export type { QuarantinedDelivery } from './quarantine.ts'

export { parseExactJson } from './exact-json.ts'
export { isDataPath } from './event-rules.ts'
export type { EventRule, MeterRule } from './event-rules.ts'
export { ingestCloudEvents } from './ingest-cloud-events.ts'
export type { CloudEventFault, CloudEventOutcome, CloudEventsResult } from './ingest-cloud-events.ts'
export type { EventSender } from './event-subjects.ts'
export { listForeignEvents } from './list-foreign-events.ts'
export type { StoredEvent } from './list-foreign-events.ts'

export { amendIn, amendRecord, voidIn, voidRecords } from './record-acts.ts'
export type { ActAuthor, Amendment, AmendOutcome, VoidOutcome } from './record-acts.ts'
export { importBackfill, previewBackfill, undoBackfill, undoIn } from './backfill.ts'
export type { BackfillInput, BackfillSummary, UndoOutcome } from './backfill.ts'
export { readBackfillLine } from './backfill-line.ts'
export type { BackfillLine } from './backfill-line.ts'
export { previewAct } from './act-effect.ts'
export type { ActEffect, ActEffectRow } from './act-effect.ts'
export { listRecordActs } from './list-acts.ts'
export type { RecordAct, RecordActKind, Superseded } from './list-acts.ts'

export { toEventJson } from './event-json.ts'
export type { EventJson, LedgerRecord } from './event-json.ts'
export { streamEvents } from './events.ts'
export type { EventFilter } from './events.ts'
export { ingestCursorNow, readIngested, tailEvents } from './tail.ts'
export type { IngestCursor } from './tail.ts'
export { streamLineRecords } from './line-records.ts'
export type { LineQuery } from './line-records.ts'

export { applyPriceBook } from './apply-price-book.ts'
export type { ApplyOutcome, NewPriceBook } from './apply-price-book.ts'
export { createBookShelf, listPriceVersions, readPriceVersion } from './price-versions.ts'
export type { BookShelf, DatedBook, PriceVersion } from './price-versions.ts'

export { markRatedHours, rateDirtyHours } from './rate.ts'
export type { RateOptions, RateSummary } from './rate.ts'
export { dryRun } from './dry-run.ts'
export type { DryRun, DryRunRow } from './dry-run.ts'
export { verifyRating } from './verify.ts'
export type { RatingDifference, Verification } from './verify.ts'

export { readStatement } from './statement.ts'
export type { StatementQuery } from './statement.ts'
export { usageReport } from './usage-report.ts'
export type { UsageDimension, UsageQuery, UsageReport, UsageReportRow } from './usage-report.ts'

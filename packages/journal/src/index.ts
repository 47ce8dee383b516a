export {
  JournalClosedError,
  JournalCorruptError,
  JournalFailedError,
  JournalFullError,
  JournalNotFoundError,
  JournalTakenError,
} from './errors.ts'
export type { Text } from './frame.ts'
export type { JournalFs } from './fs.ts'
export { isWriterDead, listWriters } from './layout.ts'
export type { Position } from './layout.ts'
export type { OpenIntent } from './open-intent.ts'
export { mayHaveMore } from './peek.ts'
export { readJournal } from './reader.ts'
export type { JournalBatch, JournalEntry, ReadOptions } from './reader.ts'
export { recoverWriter } from './recover.ts'
export type { Recovery, RecoverOptions } from './recover.ts'
export { createReleaser, releaseSegments } from './release.ts'
export type { Release, Releaser, ReleaserOptions } from './release.ts'
export { COMMIT_SECONDS_BUCKETS } from './stats.ts'
export type { JournalState, JournalStats } from './stats.ts'
export { inspectJournal, verifyJournal } from './verify.ts'
export type { JournalReport } from './verify.ts'
export { openJournalWriter } from './writer.ts'
export type { JournalWriter, JournalWriterOptions } from './writer-types.ts'

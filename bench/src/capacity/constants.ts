/** A figure that everything else follows from, and where it is from. */
export type Constant = {
  readonly value: number
  readonly unit: string
  /** `measured` here or elsewhere, or `chosen`: a limit or a load that we state. */
  readonly kind: 'measured' | 'chosen'
  /** The command, or the document with the section. */
  readonly source: string
}

export type ConstantName =
  | 'gatewayCpuUs'
  | 'streamCpuUs'
  | 'journalRecordsPerSecond'
  | 'journalBytes'
  | 'ingestPerSecond'
  | 'ratingPerSecond'
  | 'recordBytes'
  | 'natsPerSecond'
  | 'clickhousePerSecond'
  | 'clickhouseBytes'
  | 'targetUtilization'
  | 'batchRecords'
  | 'gatewayCores'
  | 'databaseCores'
  | 'streamEvents'
  | 'streamShare'
  | 'streamMbPerSecond'
  | 'copies'

const measured = (value: number, unit: string, source: string): Constant => ({ value, unit, kind: 'measured', source })
const chosen = (value: number, unit: string, source: string): Constant => ({ value, unit, kind: 'chosen', source })

/*
 * Measured on two virtual cores of an AMD EPYC, unless the source says otherwise. Another machine has other
 * figures: change them here and run `node bench/src/capacity/main.ts`.
 */
export const CONSTANTS: Readonly<Record<ConstantName, Constant>> = {
  gatewayCpuUs: measured(63.2, 'µs CPU a request', 'npm run bench -- --only json: durable, 1.5 KB reply (bench/README.md, a sample)'),
  streamCpuUs: measured(24.2, 'µs CPU an event of a stream', 'npm run bench -- --only sse (bench/README.md, a sample)'),
  journalRecordsPerSecond: measured(314_757, 'records/s a writer', 'npm run bench -- --only journal, 1,000 at once'),
  journalBytes: measured(878, 'bytes a request, intent and settlement', 'npm run bench -- --only journal: 278 B + 600 B'),
  ingestPerSecond: measured(
    87_671,
    'records/s a writer, one database',
    'npm run bench -- --only ledger --records 10M --backlog 5M, two cores',
  ),
  ratingPerSecond: measured(
    313_253,
    'records/s a rater, which has two hours at a time',
    'npm run bench -- --only ledger --records 10M --backlog 5M, two cores',
  ),
  recordBytes: measured(395, 'bytes a record in PostgreSQL, indexes included', 'node bench/src/capacity/main.ts --measure'),
  natsPerSecond: measured(22_000, 'acknowledged messages/s a stream', 'measured once on two cores: JetStream, 64 in flight, file storage'),
  clickhousePerSecond: measured(126_000, 'events/s a node', 'measured once: chdb on two cores, the lower of two figures'),
  clickhouseBytes: measured(25, 'bytes an event, compressed', 'measured once: 1 M events of 11 columns in 25 MB (DuckDB)'),

  targetUtilization: chosen(0.6, 'of what was measured', 'room for bursts, vacuum, a machine that is away'),
  batchRecords: chosen(200, 'records a message', 'packages/transport: a message carries up to some hundred entries'),
  gatewayCores: chosen(16, 'cores a gateway machine', 'one gateway process a core'),
  databaseCores: chosen(16, 'cores a database machine, half of them for ingest', 'one writer of records a core'),
  streamEvents: chosen(200, 'events a streamed reply', 'a reply of 200 tokens, one an event'),
  streamShare: chosen(0.5, 'of requests that are streamed', 'a guess to be replaced by one’s own'),
  streamMbPerSecond: chosen(100, 'MB/s a stream', 'what one disk of the broker writes in order, well below what it can'),
  copies: chosen(3, 'copies of a stream', 'JetStream with three replicas'),
}

export type Values = Readonly<Record<ConstantName, number>>

export function valuesOf(constants: Readonly<Record<ConstantName, Constant>> = CONSTANTS): Values {
  // The keys are those of the constants, each once.
  return Object.fromEntries(Object.entries(constants).map(([name, { value }]) => [name, value])) as Values
}

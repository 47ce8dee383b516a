/** Something that the reference metering proxy is known to do wrong, and the tests by which it cannot happen here. */
export type Defect = {
  readonly number: number
  readonly wrong: string
  /** What holds here. */
  readonly here: string
  /** Names of tests, whole; each has to be there. */
  readonly proofs: readonly string[]
}

/** saturncloud/phoebe at commit ec789fc of June 2026, as read and measured then; some of it has been mended there since. */
export const DEFECTS: readonly Defect[] = [
  {
    number: 1,
    wrong: 'A price edit moves what was served before it.',
    here: 'A record is priced by the book in force at its own instant, for good.',
    proofs: [
      'reference defect 1: a price edit does not move what was served before it',
      'what has been charged is never repriced: an overlap is refused with a count, and old records keep their price',
    ],
  },
  {
    number: 2,
    wrong: 'Leaving before the usage chunk, or inside a JSON body, is free.',
    here: 'Delivered content is never zero: the reply is read on within bounds, else counted or estimated.',
    proofs: [
      'defect 2: settle() never records zero after content was delivered, neither in a stream nor in a JSON body',
      'a client that leaves between finish_reason and usage does not get it for free',
      'a client that leaves inside a JSON body does not get it for free',
    ],
  },
  {
    number: 3,
    wrong: 'Shutting down loses streams that outlive the grace.',
    here: 'Every stream that is alive at the end is settled with what passed.',
    proofs: [
      'close() settles a stream that is still open as interrupted, with what passed',
      'Ctrl-C ends it with exit code 0, open streams are settled, and the database is gone',
    ],
  },
  {
    number: 4,
    wrong: 'Shutting down while the broker stalls loses the queue.',
    here: 'A settlement is on the disk before the client gets its last byte; what ships it may stall for ever.',
    proofs: [
      'the terminal event of a stream is not on the wire before the settlement is durable',
      'run() that ends while the database is away leaves everything to the next start',
    ],
  },
  {
    number: 5,
    wrong: 'Any error of the database that is no outage drops the row.',
    here: 'Classes of SQLSTATE decide; what is about the values is set aside, all else is tried again.',
    proofs: [
      'reference defect 5: a table that is away for a moment costs not one of ten events',
      'ingestBatch() loses nothing where permission is denied or a table is missing',
    ],
  },
  {
    number: 6,
    wrong: 'After an outage the backlog drains at 17 records a second.',
    here: 'A backlog goes the way of fresh records, in full batches.',
    proofs: ['run() outlives a database that refuses connections, and drains the backlog in full batches when it is back'],
  },
  {
    number: 7,
    wrong: 'A broker that restarts without its group wedges the drainer.',
    here: 'Streams and consumers that vanish are made again.',
    proofs: ['flexprice-584: next() goes on when the stream and its consumer vanish under it'],
  },
  {
    number: 8,
    wrong: 'The stream trims what nobody has read.',
    here: 'A full broker refuses, and journals keep what it does not take; a journal frees only what is committed.',
    proofs: [
      'a full broker refuses and loses nothing: journals keep what it does not take',
      'send() refuses a stream that would drop what nobody has read',
      'releaseSegments() deletes what is settled and committed, and never the active segment (I13)',
    ],
  },
  {
    number: 9,
    wrong:
      'A 200 leaves no event: compressed, no space after `data:`, a bare CR, no last line end, mixed case, a fraction, a finish reason that is no text, a reset.',
    here: 'All of them are metered.',
    proofs: [
      'defect 9: SSE is read with no space after data:, a bare CR, an unterminated last line, a content type in mixed case',
      'defect 9: a fractional count or a finish reason that is no string leaves a record',
      'defect 9: an upstream reset leaves what passed on the record',
      'defect 9: a decoded copy of a compressed reply is read without being forwarded',
    ],
  },
  {
    number: 10,
    wrong: '`"stream": 1` is not asked for its usage, and an engine may stream all the same.',
    here: 'It is given the wish for usage, and read as what comes.',
    proofs: ['defect 10: stream as 1 or "true" is given the wish for usage'],
  },
  {
    number: 11,
    wrong:
      'Usage of Responses decodes to zeros, Messages give an event of zeros without a model, and every other path is metered as a chat.',
    here: 'Each API has its reader, each path a rule, and a path without one is refused.',
    proofs: [
      'what Messages writes to a cache is a class of its own in the record',
      'a background response is refused, and one that is kept or refers to a kept one goes only where its route says so',
      'an operator decides about a path of his engine, and nothing else is opened by that',
      'langwatch-7021, llm-gateway-12: the statement holds the money of exactly these records, whatever they count',
    ],
  },
  {
    number: 12,
    wrong: 'Negative counts give credit.',
    here: 'A count that cannot be is no count.',
    proofs: ['defect 12: a negative count gives no credit', 'reference defect 12: negative counts give no credit'],
  },
  {
    number: 13,
    wrong: 'Long model names, NUL, and user ids with dashes are dropped.',
    here: 'Text has any length; what a database cannot hold is replaced.',
    proofs: [
      'defect 13: a model name that is over-long or holds a NUL is kept, made fit for a database',
      'reference defect 13: over-long and NUL-bearing text, lone surrogates and dashed user ids lose nothing',
    ],
  },
  {
    number: 14,
    wrong: 'The request id of a client is a global key: a replay is free, and one tenant can burn the ids of another.',
    here: 'The event id is ours; a repeated request id is billed each time.',
    proofs: [
      'a request id that a client sends again is billed each time',
      'reference defect 14: a client id is correlation only: a replay is billed, and nobody can burn the id of another',
    ],
  },
  {
    number: 15,
    wrong: 'One early abort makes the rater fail for a day.',
    here: 'An abort is an abort.',
    proofs: ['reference defect 15: an early abort is an abort, no anomaly: nothing is held, and it is counted once'],
  },
  {
    number: 16,
    wrong: 'A completion without usage leaves no event.',
    here: 'Every request that an engine saw has one record, whatever becomes of it.',
    proofs: [
      'every request that the upstream saw has an intent, every whole reply a settlement, every intent one, whatever happens',
      'pass() makes unknown records of the open intents of a killed writer, never zero and never free',
    ],
  },
  {
    number: 17,
    wrong: 'A reply of some hundred MB takes a gigabyte of memory, a request 1.6.',
    here: 'Every buffer has a bound; what is over it is refused or waits.',
    proofs: [
      'createRelay() holds no more memory for a body than it counts',
      'sink.barrier() pauses the upstream when too much waits behind it',
    ],
  },
  {
    number: 18,
    wrong: 'An fsync for each event, under one lock, in the way of requests.',
    here: 'Settlements of one instant share a commit, off the event loop.',
    proofs: [
      'settle() of one tick is one write and one commit',
      'settle() waits for a commit that started after it was written; one is in flight at a time (I7)',
    ],
  },
  {
    number: 19,
    wrong: 'A crash loses up to 8,192 events and those in flight.',
    here: 'The intent is with the kernel before the engine sees a byte; the settlement on the disk before the last byte of the reply.',
    proofs: [
      'the intent is in the kernel before the upstream sees a byte',
      'the last byte of a JSON reply is not on the wire before the settlement is durable',
      'recoverWriter() of a copy made at any moment of a live writer: what was acknowledged is in it (I5, I7)',
    ],
  },
  {
    number: 20,
    wrong: 'The log on the disk has no bound.',
    here: 'It has one; at the bound no more is admitted, and what is open still settles.',
    proofs: [
      'intend() is refused at the cap on retained bytes, open intents still settle, and it goes on after a release',
      'a full disk refuses with 503 what it cannot record, settles what is open, and serves again when there is space',
    ],
  },
  {
    number: 21,
    wrong:
      'Look-ups have no time-out, errors of the directory read as 404, good entries are overwritten when they expire, ids stand in addresses as they are.',
    here: 'Nothing is looked up but names of hosts, once at a time, with the last good answer kept; the table is in memory and on disk; ids are escaped or have no place.',
    proofs: [
      'UpstreamNames asks once for a name however many connections wait for it',
      'UpstreamNames keeps the last good answer while the resolver fails, and for no longer than it says',
      'UpstreamNames does not let a resolver that hangs hold up a name that was resolved before',
      'an id never changes host, port, path or user of a convention, whatever it is',
      'a gateway starts with the last good deployments when the snapshot is gone, unreadable or of a shape that it cannot use',
      'a gateway starts and routes by the directory of the ledger while the database is stopped',
    ],
  },
  {
    number: 22,
    wrong: "The caller's credentials and identity go up to the engine; a WebSocket passes unmetered.",
    here: 'They stay behind unless the route lets a name pass, each upstream gets its own credential, and a WebSocket is refused.',
    proofs: [
      'credentials, cookies and identity headers do not go up',
      "each upstream gets its own credential and path, and never another one's",
      'a WebSocket is refused with 501 and a word that says why, before any upstream byte and whoever asks',
    ],
  },
  {
    number: 23,
    wrong: 'Bodies are sampled by an id that the client chooses, and kept for ever, in the clear.',
    here: 'Off unless both the installation and the credential say so; sampled on our id, redacted, sealed, and gone after a stated time.',
    proofs: [
      'reference defect 23: bodies are nobody’s business until a credential or its group has agreed, and the installation keeps a log',
      'a client that chooses its request id does not choose whether it is in the sample',
      'what is too old goes, and the oldest where there is too much; files of others stay',
    ],
  },
  {
    number: 24,
    wrong: 'A database that was restored in part still pushes, which un-bills what is absent.',
    here: 'Nothing ends by being absent.',
    proofs: ['reference defect 24: a source that is empty or cut off ends nothing'],
  },
  {
    number: 25,
    wrong: 'It fails open: events become lines of a log, unknown keys are ignored, batches meet the limit of parameters.',
    here: 'It fails closed, and configuration is strict.',
    proofs: [
      'a settlement that cannot be written resets the reply',
      'a request whose intent cannot be written is 503, and the upstream sees nothing',
      'reference defect 25: a batch is as large as it likes: no limit on parameters is met',
    ],
  },
]

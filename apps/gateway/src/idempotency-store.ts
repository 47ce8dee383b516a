import { createHash } from 'node:crypto'
import { closeSync, openSync, renameSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { StatementSync } from 'node:sqlite'
import type { Clock, Logger } from '@ascribe/kit'

/** A key is refused for so long after its request: longer than any client asks again. */
export const RETENTION_MS: number = 24 * 3_600_000
/** About 200 bytes each: 200 MB at most. Beyond that the oldest completed ones are forgotten. */
const KEYS_MAX = 1_000_000
/** Of one credential: nobody makes the machine forget the keys of others. */
const CREDENTIAL_KEYS_MAX = 100_000
/** Another process of this machine holds the file for some microseconds; so long is a process that was stopped, or a disk that hangs. */
const BUSY_MS = 250
const VERSION = 1

/** A key that is this request's until it is completed or freed. */
export type KeyClaim = { readonly id: Buffer; readonly eventId: string }

export type ClaimOutcome =
  | { readonly kind: 'claimed'; readonly claim: KeyClaim }
  /** `eventId`: of the request that has it. */
  | { readonly kind: 'in_flight' | 'completed'; readonly eventId: string }

export type IdempotencyStoreOptions = {
  /** Of the file; made on first use. On a local file system, like locks. */
  readonly path: string
  /** This process, as its journal calls it. */
  readonly writer: string
  /** Whether another one has ended; its requests have ended with it. */
  readonly isDead: (writer: string) => boolean
  readonly clock: Clock
  readonly logger: Logger
  readonly bounds?: { readonly keys: number; readonly credentialKeys: number }
}

const SCHEMA = `
begin immediate;
create table if not exists claim (
  -- Of auth id and key: neither can be read here.
  id blob primary key,
  owner blob not null,
  event_id text not null,
  writer text not null,
  -- 0: in flight. 1: its client has been given the whole reply.
  completed integer not null,
  at integer not null
) without rowid;
create index if not exists claim_owner on claim (owner, at);
create index if not exists claim_at on claim (at);
-- How many there are; x'' stands for all.
create table if not exists tally (owner blob primary key, keys integer not null) without rowid;
create trigger if not exists claim_added after insert on claim begin
  insert into tally values (new.owner, 1), (x'', 1) on conflict (owner) do update set keys = keys + 1;
end;
create trigger if not exists claim_gone after delete on claim begin
  update tally set keys = keys - 1 where owner in (old.owner, x'');
  delete from tally where owner = old.owner and keys = 0;
end;
pragma user_version = ${VERSION};
commit`

/**
 * The `Idempotency-Key`s of this machine's requests, in one file for all its gateway processes (ADR 0104). It is opened when the first request
 * brings one. What it says outlives the process, not a loss of power.
 */
export class IdempotencyStore implements Disposable {
  readonly #options: IdempotencyStoreOptions
  #open: Open | undefined
  /** What could not be written when it became true. */
  #owed: ((open: Open) => void)[] = []

  constructor(options: IdempotencyStoreOptions) {
    this.#options = options
  }

  /** Takes the key for a request, or says whose it is. Throws when that cannot be told: whoever asks must not be served then. */
  claim(authId: string, key: string, eventId: string): ClaimOutcome {
    try {
      return this.#claim(authId, key, eventId)
    } catch (error) {
      if (isDamaged(error)) this.#setAside(error)
      throw error
    }
  }

  #claim(authId: string, key: string, eventId: string): ClaimOutcome {
    const { writer, clock } = this.#options
    const open = this.#opened()
    for (let write = this.#owed[0]; write !== undefined; write = this.#owed[0]) {
      write(open)
      this.#owed.shift()
    }
    const now = clock()
    const owner = digest(authId).subarray(0, 16)
    const id = digest(`${authId.length} ${authId}${key}`)
    open.db.exec('begin immediate')
    try {
      const oldest = now - RETENTION_MS
      open.expire.run(oldest)
      const added = open.insert.run(id, owner, eventId, writer, now)
      const taken = added.changes === 0 ? this.#takenBy(open, id, oldest) : undefined
      if (taken === undefined) {
        if (added.changes === 0) open.replace.run(eventId, writer, now, id)
        else this.#bound(open, owner)
      }
      open.db.exec('commit')
      return taken ?? { kind: 'claimed', claim: { id, eventId } }
    } catch (error) {
      if (open.db.isTransaction) open.db.exec('rollback')
      throw error
    }
  }

  /** The client is about to have its whole reply: the key is used. */
  complete({ id, eventId }: KeyClaim): void {
    this.#write((open) => open.complete.run(this.#options.clock(), id, eventId))
  }

  /** The client has not got its reply, and may ask again. */
  free({ id, eventId }: KeyClaim): void {
    this.#write((open) => open.free.run(id, eventId))
  }

  [Symbol.dispose](): void {
    this.#open?.db.close()
    this.#open = undefined
  }

  /** Never in the way of a reply: what cannot be written now is written before the next key is taken. Until then the key is taken. */
  #write(write: (open: Open) => void): void {
    try {
      write(this.#opened())
    } catch (error) {
      if (this.#owed.length === 0) this.#options.logger.error('what became of an Idempotency-Key cannot be written yet', { error })
      this.#owed.push(write)
    }
  }

  /** Nothing is synced, so a loss of power may leave a file that is none. Its keys are forgotten, loudly; others begin anew. */
  #setAside(error: unknown): void {
    const { path, logger } = this.#options
    this[Symbol.dispose]()
    renameSync(path, `${path}.damaged`)
    for (const suffix of ['-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
    logger.error('the Idempotency-Keys of this machine are damaged and forgotten; the file was set aside', {
      path: `${path}.damaged`,
      error,
    })
  }

  #takenBy(open: Open, id: Buffer, oldest: number): Exclude<ClaimOutcome, { kind: 'claimed' }> | undefined {
    const row = open.find.get(id, oldest) as { event_id: string; writer: string; completed: number } | undefined
    if (row === undefined) return undefined
    if (row.completed === 1) return { kind: 'completed', eventId: row.event_id }
    // It ended with its process, before its client had its last byte.
    if (row.writer !== this.#options.writer && this.#options.isDead(row.writer)) return undefined
    return { kind: 'in_flight', eventId: row.event_id }
  }

  #bound(open: Open, owner: Buffer): void {
    const { keys, credentialKeys } = this.#options.bounds ?? { keys: KEYS_MAX, credentialKeys: CREDENTIAL_KEYS_MAX }
    if (countOf(open, owner) > credentialKeys) open.forgetOwn.run(owner)
    if (countOf(open, EVERYBODY) > keys) open.forget.run()
  }

  #opened(): Open {
    this.#open ??= openFile(this.#options.path)
    return this.#open
  }
}

type Open = {
  readonly db: DatabaseSync
  readonly expire: StatementSync
  readonly insert: StatementSync
  readonly find: StatementSync
  readonly replace: StatementSync
  readonly count: StatementSync
  readonly forgetOwn: StatementSync
  readonly forget: StatementSync
  readonly complete: StatementSync
  readonly free: StatementSync
}

const EVERYBODY = Buffer.alloc(0)

function openFile(path: string): Open {
  closeSync(openSync(path, 'a', 0o600))
  const db = new DatabaseSync(path, { timeout: BUSY_MS })
  try {
    // A commit is with the kernel, not on the disk: it outlives the process, and nothing waits for an fsync. With `normal` a checkpoint after
    // some hundred keys stopped the event loop for up to 195 ms on a busy disk.
    db.exec('pragma journal_mode = wal; pragma synchronous = off')
    const { user_version: version } = db.prepare('pragma user_version').get() as { user_version: number }
    if (version > VERSION) throw new Error(`Cannot use ${path}: a newer version of this program made it`)
    if (version < VERSION) db.exec(SCHEMA)
    return {
      db,
      // A few with each key that is added: there are never more that are too old than were added since.
      expire: db.prepare('delete from claim where id in (select id from claim where at < ? order by at limit 2)'),
      insert: db.prepare('insert into claim values (?, ?, ?, ?, 0, ?) on conflict (id) do nothing'),
      find: db.prepare('select event_id, writer, completed from claim where id = ? and at >= ?'),
      replace: db.prepare('update claim set event_id = ?, writer = ?, completed = 0, at = ? where id = ?'),
      count: db.prepare('select keys from tally where owner = ?'),
      forgetOwn: db.prepare('delete from claim where id in (select id from claim where owner = ? and completed = 1 order by at limit 1)'),
      forget: db.prepare('delete from claim where id in (select id from claim where completed = 1 order by at limit 1)'),
      complete: db.prepare('update claim set completed = 1, at = ? where id = ? and event_id = ?'),
      free: db.prepare('delete from claim where id = ? and event_id = ? and completed = 0'),
    }
  } catch (error) {
    db.close()
    throw error
  }
}

function countOf(open: Open, owner: Buffer): number {
  const row = open.count.get(owner) as { keys: number } | undefined
  return row?.keys ?? 0
}

// Primary result codes of SQLite: the file is malformed, or no database (sqlite.org/rescode.html).
const DAMAGED: ReadonlySet<number> = new Set([11, 26])

function isDamaged(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' && DAMAGED.has(error.errcode & 0xff)
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

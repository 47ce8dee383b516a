import { accountKey, heldByAll } from '@ascribe/admission'
import type { Amount, LeaseReport, LeaseRow, Recall } from '@ascribe/admission'
import type { Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'
import { sqlInstant } from '../instants.ts'
import type { Consumptions } from './consumption.ts'

/** A gateway process, as it told of itself. */
export type Writer = { readonly live: boolean; readonly ended: boolean }

/** A row while it is worked on. */
type Draft = { -readonly [Name in keyof LeaseRow]: LeaseRow[Name] }

/** One subject's counter in one window of a budget, while a round works on it. */
export type AccountDraft = {
  readonly budget: string
  readonly subject: string
  readonly start: Instant
  readonly rows: Map<string, Draft>
  recall: { sequence: number; keep: Amount; at: Instant }
}

type LeaseRecord = {
  readonly budget_id: string
  readonly subject: string
  readonly window_start: number
  readonly writer: string
  readonly granted: string
  readonly returned: string
  readonly used: string
  readonly wanted: string
  readonly consumed: string
  readonly recalled: number
}

type AccountRecord = {
  readonly budget_id: string
  readonly subject: string
  readonly window_start: number
  readonly recall_sequence: number
  readonly recall_keep: string
  readonly recalled_at: number | null
}

/** Accounts by {@link accountKey}, as they were read and as they are changed. */
export class Accounts {
  readonly #drafts = new Map<string, AccountDraft>()
  readonly #writers: ReadonlyMap<string, Writer>
  /** What is stored, to write only what has changed. */
  readonly #stored = new Map<string, string>()

  private constructor(writers: ReadonlyMap<string, Writer>) {
    this.#writers = writers
  }

  /** Reads the accounts of windows that began at or after `since`, and of those that never end; of `subjects` only, if they are named. */
  static async read(
    db: Queryable,
    writers: ReadonlyMap<string, Writer>,
    { since, subjects }: { readonly since: Instant; readonly subjects?: readonly string[] | undefined },
  ): Promise<Accounts> {
    const accounts = new Accounts(writers)
    const values = [sqlInstant(since), subjects === undefined ? null : [...subjects]]
    const recent = "(window_start >= $1::timestamptz or window_start = 'epoch') and ($2::text[] is null or subject = any($2::text[]))"
    const known = await db.query<AccountRecord>(
      `select budget_id, subject, window_start, recall_sequence, recall_keep, recalled_at from budget_account where ${recent}`,
      values,
    )
    for (const row of known.rows) {
      const account = accounts.at(row.budget_id, row.subject, row.window_start)
      account.recall = { sequence: row.recall_sequence, keep: BigInt(row.recall_keep), at: row.recalled_at ?? 0 }
      accounts.#stored.set(accountKey(row.budget_id, row.subject, row.window_start), recallText(account))
    }
    const leases = await db.query<LeaseRecord>(
      `select budget_id, subject, window_start, writer, granted, returned, used, wanted, consumed, recalled from budget_lease where ${recent}`,
      values,
    )
    for (const row of leases.rows) {
      const account = accounts.at(row.budget_id, row.subject, row.window_start)
      const draft = accounts.row(account, row.writer)
      for (const name of ['granted', 'returned', 'used', 'wanted', 'consumed'] as const) draft[name] = BigInt(row[name])
      draft.recalled = row.recalled
      accounts.#stored.set(leaseKey(account, row.writer), leaseText(draft))
    }
    return accounts
  }

  [Symbol.iterator](): MapIterator<AccountDraft> {
    return this.#drafts.values()
  }

  find(budget: string, subject: string, start: Instant): AccountDraft | undefined {
    return this.#drafts.get(accountKey(budget, subject, start))
  }

  at(budget: string, subject: string, start: Instant): AccountDraft {
    return this.#drafts.getOrInsertComputed(accountKey(budget, subject, start), () => ({
      budget,
      subject,
      start,
      rows: new Map(),
      recall: { sequence: 0, keep: 0n, at: 0 },
    }))
  }

  row(account: AccountDraft, writer: string): Draft {
    return account.rows.getOrInsertComputed(writer, () => ({
      writer,
      granted: 0n,
      returned: 0n,
      consumed: 0n,
      used: 0n,
      wanted: 0n,
      recalled: 0,
      // One that never told of itself was never given anything: only what it has spent counts.
      live: this.#writers.get(writer)?.live ?? false,
      ended: this.#writers.get(writer)?.ended ?? true,
    }))
  }

  /** Adds what was counted. */
  add(consumptions: Consumptions): void {
    for (const { budget, subject, start, spent } of consumptions.values()) {
      const account = this.at(budget, subject, start)
      for (const [writer, amount] of spent) this.row(account, writer).consumed += amount
    }
  }

  /** Puts what was counted anew in the place of what was known of a budget's window. */
  replace(budget: string, start: Instant, consumptions: Consumptions): void {
    for (const account of this.#drafts.values()) {
      if (account.budget === budget && account.start === start) for (const row of account.rows.values()) row.consumed = 0n
    }
    this.add(consumptions)
  }

  /** Takes over what gateways tell. An old report changes nothing for the worse: what only rises only rises. */
  hear(reports: readonly LeaseReport[], isKnown: (budget: string, start: Instant) => boolean): void {
    for (const { writer, accounts } of reports) {
      for (const report of accounts) {
        if (!isKnown(report.budget, report.start)) continue
        const row = this.row(this.at(report.budget, report.subject, report.start), writer)
        row.granted = max(row.granted, BigInt(report.granted))
        row.returned = max(row.returned, BigInt(report.returned))
        row.used = BigInt(report.used)
        row.wanted = BigInt(report.wanted)
        row.recalled = Math.max(row.recalled, report.recalled)
      }
    }
  }

  /** Stores what has changed. */
  async write(db: Queryable): Promise<void> {
    const leases: object[] = []
    const recalls: object[] = []
    for (const account of this.#drafts.values()) {
      const { budget, subject, start, recall } = account
      const id = { budget_id: budget, subject, window_start: sqlInstant(start) }
      const text = recallText(account)
      if (recall.sequence > 0 && this.#stored.get(accountKey(budget, subject, start)) !== text) {
        recalls.push({ ...id, recall_sequence: recall.sequence, recall_keep: String(recall.keep), recalled_at: sqlInstant(recall.at) })
      }
      for (const row of account.rows.values()) {
        if (this.#stored.get(leaseKey(account, row.writer)) === leaseText(row)) continue
        const amounts = ['granted', 'returned', 'used', 'wanted', 'consumed'] as const
        leases.push({
          ...id,
          writer: row.writer,
          recalled: row.recalled,
          ...Object.fromEntries(amounts.map((name) => [name, String(row[name])])),
        })
      }
    }
    if (leases.length > 0) await db.query(UPSERT_LEASES, [JSON.stringify(leases)])
    if (recalls.length > 0) await db.query(UPSERT_ACCOUNTS, [JSON.stringify(recalls)])
  }
}

const UPSERT_LEASES = `
insert into budget_lease (budget_id, subject, window_start, writer, granted, returned, used, wanted, consumed, recalled)
select budget_id, subject, window_start, writer, granted, returned, used, wanted, consumed, recalled
from json_to_recordset($1::json) as r (budget_id uuid, subject text, window_start timestamptz, writer text, granted numeric,
  returned numeric, used numeric, wanted numeric, consumed numeric, recalled integer)
on conflict (budget_id, window_start, subject, writer) do update set granted = excluded.granted, returned = excluded.returned,
  used = excluded.used, wanted = excluded.wanted, consumed = excluded.consumed, recalled = excluded.recalled`

const UPSERT_ACCOUNTS = `
insert into budget_account (budget_id, subject, window_start, recall_sequence, recall_keep, recalled_at)
select budget_id, subject, window_start, recall_sequence, recall_keep, recalled_at
from json_to_recordset($1::json) as r (budget_id uuid, subject text, window_start timestamptz, recall_sequence integer,
  recall_keep numeric, recalled_at timestamptz)
on conflict (budget_id, window_start, subject) do update set recall_sequence = excluded.recall_sequence,
  recall_keep = excluded.recall_keep, recalled_at = excluded.recalled_at`

/** What is in the ledger of an account. */
export function spentOf(account: AccountDraft): Amount {
  let spent = 0n
  for (const row of account.rows.values()) spent += row.consumed
  return spent
}

/** What is spent or promised of an account. */
export function heldOf(account: AccountDraft): Amount {
  return heldByAll([...account.rows.values()])
}

/** The recall of an account as gateways read it. */
export function recallOf({ recall }: AccountDraft): Recall | undefined {
  return recall.sequence === 0 ? undefined : { sequence: recall.sequence, keep: String(recall.keep) }
}

function recallText({ recall }: AccountDraft): string {
  return `${recall.sequence} ${recall.keep} ${recall.at}`
}

function leaseKey({ budget, subject, start }: AccountDraft, writer: string): string {
  return `${accountKey(budget, subject, start)} ${writer}`
}

function leaseText({ granted, returned, used, wanted, consumed, recalled }: Draft): string {
  return [granted, returned, used, wanted, consumed, recalled].join(' ')
}

function max(a: Amount, b: Amount): Amount {
  return a > b ? a : b
}

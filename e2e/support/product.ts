import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ask, askLines, start } from './process.ts'
import type { Running } from './process.ts'

/** The line that `ascribe up --json` prints once everything is ready. */
export type Ready = {
  readonly gateway: string
  readonly api: string
  readonly metrics: string
  /** Operators' listener; behind Teleport, {@link teleport}. */
  readonly internal: string
  readonly admin: string
  readonly adminKey: string
  /** Origin of the API's app at the sandbox Teleport. */
  readonly teleport: string
  readonly issuer: string
  readonly console: string
  /** Same origin as {@link teleport}. */
  readonly operatorConsole: string
  /** At the host of the demo organization's environment. */
  readonly environmentConsole: string
  readonly organization: { readonly id: string; readonly name: string }
  readonly key: string
  readonly auth_id: string
  readonly billing_key: string
}

/** A usage record as `events list` prints it. */
export type Event = {
  readonly event_id: string
  readonly request_id: string
  readonly idempotency_key?: string
  readonly auth_id: string
  readonly resource_id: string
  readonly resource_type?: string
  readonly user_id?: string
  readonly group_id?: string
  readonly model?: string
  readonly prompt_tokens: number | null
  readonly cached_tokens: number | null
  readonly completion_tokens: number | null
  readonly finish_reason?: string
  readonly aborted: boolean
  readonly outcome: string
  readonly provenance: string
  readonly meters: Readonly<Record<string, number>>
  readonly headers?: Readonly<Record<string, string>>
}

export type StatementLine = {
  readonly model: string
  readonly auth_id: string
  readonly meter: string
  readonly quantity: number
  readonly rate: string
  readonly amount: string
}
export type Statement = {
  readonly organization_id: string
  readonly month: string
  readonly currency: string
  readonly total: string
  readonly lines: readonly StatementLine[]
  readonly held: { readonly unpriced: number; readonly unattributed: number; readonly unknown: number }
}

/** A data directory that is gone afterwards. */
export function temporaryDir(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'ascribe-e2e-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

/** Everything running on embedded defaults, and the CLI beside it. */
export type Product = AsyncDisposable & {
  readonly dir: string
  readonly ready: Ready
  readonly process: Running
  events(): Promise<Event[]>
  /** Waits until exactly `count` records are listed. @throws after 15 s, saying what is there instead */
  eventsUntil(count: number): Promise<Event[]>
  statement(organizationId?: string): Promise<Statement>
  cli<Answer>(...args: readonly string[]): Promise<Answer>
}

/** Starts `ascribe up` on `dir` and waits until it says that it is ready. */
export async function up(dir: string, ...args: readonly string[]): Promise<Product> {
  const running = start(['up', '--json', '--data', dir, '--port', '0', ...args])
  const line = await running.firstLine
  if (line === undefined) throw new Error(`ascribe up did not come up:\n${(await running.ended).stderr}`)
  const ready = JSON.parse(line) as Ready
  const events = (): Promise<Event[]> => askLines<Event>(['events', 'list', '--data', dir])
  return {
    dir,
    ready,
    process: running,
    events,
    async eventsUntil(count) {
      const deadline = Date.now() + 15_000
      for (;;) {
        const found = await events()
        if (found.length === count) return found
        if (found.length > count || Date.now() > deadline)
          throw new Error(`expected ${count} records, found ${found.length}: ${JSON.stringify(found, null, 1)}`)
      }
    },
    statement: (organizationId = ready.organization.id) =>
      ask<Statement>(['statement', '--org', organizationId, '--month', currentMonth(), '--data', dir]),
    cli: (...words) => ask(['--data', dir, ...words]),
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  }
}

/** The month now, UTC, `YYYY-MM`. */
export function currentMonth(): string {
  return new Date().toISOString().slice(0, 7)
}

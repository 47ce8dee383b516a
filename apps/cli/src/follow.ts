import type { Database } from '@ascribe/postgres'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@ascribe/kit'
import { listCredentials, listOrganizations, readIngested } from '@ascribe/ledger'
import type { IngestCursor, LedgerRecord } from '@ascribe/ledger'
import type { Style } from './output.ts'
import { createPricer } from './pricer.ts'
import type { Pricer } from './pricer.ts'

export type FollowOptions = {
  readonly db: Database
  readonly after: IngestCursor
  readonly signal: AbortSignal
  readonly style: Style
  readonly logger: Logger
  readonly write: (line: string) => void
}

const PAGE = 100
/** A person who watches sees a line soon enough, and a quiet database stays quiet. */
const LOOK_MS = 300

/**
 * One readable line for each record as it is committed: when, who, model, tokens, money. Ends with the signal. It is there
 * for people: whatever goes wrong with it is waited out, and stops nothing.
 */
export async function follow({ db, after, signal, style, logger, write }: FollowOptions): Promise<void> {
  const tools: LineTools = { names: createNames(db), pricer: createPricer(db), style }
  let cursor = after
  let failing = false
  while (!signal.aborted) {
    try {
      const page = await readIngested(db, { after: cursor, limit: PAGE })
      const lines = []
      for (const record of page.records) lines.push(await lineOf(record, tools))
      for (const line of lines) write(line)
      cursor = page.cursor
      failing = false
      if (page.records.length === PAGE) continue
    } catch (error) {
      if (!failing) logger.debug('records cannot be followed for now', { error })
      failing = true
    }
    await delay(LOOK_MS, undefined, { signal }).catch(() => {})
  }
}

type LineTools = { readonly names: Names; readonly pricer: Pricer; readonly style: Style }

async function lineOf(found: LedgerRecord, { names, pricer, style }: LineTools): Promise<string> {
  const { record, organizationId } = found
  const time = new Date(record.endedAt).toISOString().slice(11, 19)
  const who =
    organizationId === undefined
      ? style.warn(`nobody (${record.authId})`)
      : `${await names.organization(organizationId)} · ${await names.key(record.authId)}`
  const model = record.model ?? record.modelAsked ?? '–'
  const tokens =
    record.promptTokens === null ? style.warn('tokens unknown') : `${record.promptTokens} in, ${record.completionTokens ?? 0} out`
  const { kind, text } = await pricer.moneyOf(found)
  const money = kind === 'priced' ? style.good(text) : style.warn(text)
  const remarks = [record.outcome === 'completed' ? '' : record.outcome, record.provenance === 'reported' ? '' : record.provenance].filter(
    (text) => text !== '',
  )
  return `${style.dim(time)}  ${who}  ${model}  ${tokens}  ${money}${remarks.length > 0 ? `  ${style.warn(remarks.join(', '))}` : ''}`
}

type Names = { organization(id: string): Promise<string>; key(authId: string): Promise<string> }

/** Names by id, read again when one is not known. */
function createNames(db: Database): Names {
  const organizations = new Map<string, string>()
  const keys = new Map<string, string>()
  return {
    async organization(id) {
      if (!organizations.has(id)) for (const each of await listOrganizations(db)) organizations.set(each.id, each.name)
      return organizations.get(id) ?? id
    },
    async key(authId) {
      // Auth ids of an edge are in no list: what was looked for once is remembered as it is.
      if (!keys.has(authId)) {
        for (const each of await listCredentials(db)) keys.set(each.authId, each.name ?? `ask_${each.publicId}_…`)
        if (!keys.has(authId)) keys.set(authId, authId)
      }
      return keys.get(authId) ?? authId
    },
  }
}

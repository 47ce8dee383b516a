import type { MeterQuery, MeterQueryResult, MeterRow, WindowSize } from '@ascribe/contract'
import { usageReport } from '@ascribe/ledger'
import type { UsageDimension, UsageReportRow } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { dayOf, formatInstant, hourOf, monthOf, parseInstant } from '@ascribe/units'
import type { Instant, Period } from '@ascribe/units'
import { Refusal } from './errors.ts'

/** What rows can be told apart by, in OpenMeter's words. */
const GROUPS: ReadonlySet<string> = new Set(['subject', 'model'])

/** How much of a meter an organization used, in windows; from every source, whatever it costs. */
export async function readMeter(
  db: Database,
  organizationId: string,
  query: MeterQuery & { readonly meter: string },
): Promise<MeterQueryResult> {
  const groups = [query.groupBy ?? []].flat()
  const unknown = groups.find((group) => !GROUPS.has(group))
  if (unknown !== undefined)
    throw new Refusal('invalid_request', `Cannot use the query: groupBy: ${JSON.stringify(unknown)} is none of subject, model`)
  const subjects = query.subject === undefined ? undefined : [query.subject].flat()
  const bySubject = subjects !== undefined || groups.includes('subject')
  const period: Period = { start: instantOf(query.from) ?? 0, end: instantOf(query.to) ?? Date.now() }
  const by: UsageDimension[] = [
    'meter',
    ...windowDimension(query.windowSize),
    ...(bySubject ? ['key' as const] : []),
    ...(groups.includes('model') ? ['model' as const] : []),
  ]
  const report = await usageReport(db, {
    organizationId,
    from: period.start,
    to: period.end,
    by,
    ...(subjects !== undefined && { authIds: subjects }),
  })
  const rows = (report?.rows ?? []).filter(({ key }) => key.meter === query.meter)
  return {
    ...(query.from !== undefined && { from: formatInstant(period.start) }),
    ...(query.to !== undefined && { to: formatInstant(period.end) }),
    ...(query.windowSize !== undefined && { windowSize: query.windowSize }),
    data: summed(rows, { period, size: query.windowSize, meter: query.meter, byModel: groups.includes('model') }),
  }
}

/** The contract has checked that it is one. */
function instantOf(text: string | undefined): Instant | undefined {
  return text === undefined ? undefined : parseInstant(text)
}

function windowDimension(size: WindowSize | undefined): readonly UsageDimension[] {
  return size === undefined ? [] : [size === 'HOUR' ? 'hour' : 'day']
}

type Shape = { readonly period: Period; readonly size: WindowSize | undefined; readonly meter: string; readonly byModel: boolean }

/** Days of a month are one row; everything else is one already. */
function summed(rows: readonly UsageReportRow[], shape: Shape): readonly MeterRow[] {
  const found = new Map<string, MeterRow>()
  for (const { key, meters } of rows) {
    const window = windowOf(key, shape)
    const subject = key.key ?? null
    const groupBy = shape.byModel ? { model: key.model ?? null } : {}
    const name = JSON.stringify([window.start, subject, groupBy])
    const value = Number(meters[shape.meter] ?? 0n) + (found.get(name)?.value ?? 0)
    found.set(name, { value, windowStart: formatInstant(window.start), windowEnd: formatInstant(window.end), subject, groupBy })
  }
  return [...found.values()]
}

function windowOf(key: UsageReportRow['key'], { period, size }: Shape): Period {
  if (size === undefined) return period
  const at = parseInstant(key.hour ?? key.day ?? '', { allowDate: true }) ?? period.start
  if (size === 'HOUR') return hourOf(at)
  return size === 'DAY' ? dayOf(at) : (monthOf(formatInstant(at).slice(0, 7)) ?? period)
}

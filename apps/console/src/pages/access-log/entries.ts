import type { AccessLogLine } from '@ascribe/contract/writes'

/** One thing in the log as people read it. */
export type LogEntry =
  /** What one operator did in one acting session, from the first line to the last. */
  | {
      readonly kind: 'session'
      readonly key: string
      /** RFC 3339, of its last line. */
      readonly at: string
      readonly start: string
      readonly actor: AccessLogLine['actor']
      readonly reason: string | undefined
      readonly ticket: string | undefined
      /** Newest first; the beginning and the end of the session among them. */
      readonly lines: readonly AccessLogLine[]
      readonly opened: number
    }
  /** Anything else: one change with its outcome, one act, one refusal. */
  | { readonly kind: 'line'; readonly key: string; readonly at: string; readonly line: AccessLogLine; readonly status: number | undefined }

/** A UTC day and what is of it, or one of the things. A flat list, for a list of which only what is in sight is drawn. */
export type LogRow =
  | { readonly kind: 'day'; readonly key: string; readonly day: string }
  | { readonly kind: 'entry'; readonly entry: LogEntry }

/**
 * Lines, newest first, as things that people know: lines of one acting session are one, a change and what became of it are one, and what says how a
 * reply ended belongs to that reply. Nothing is left out.
 */
export function entriesOf(lines: readonly AccessLogLine[]): readonly LogEntry[] {
  const ends = new Map(lines.filter(({ kind }) => kind === 'write_end').map((line) => [line.requestId ?? `#${line.sequence}`, line]))
  const starts = new Set(lines.filter(({ kind }) => kind === 'write').map(({ requestId }) => requestId))
  const bySession = new Map<string, AccessLogLine[]>()
  for (const line of lines) {
    const session = sessionOf(line)
    if (session === undefined) continue
    const found = bySession.get(session)
    if (found === undefined) bySession.set(session, [line])
    else found.push(line)
  }
  const entries: LogEntry[] = []
  const done = new Set<string>()
  for (const line of lines) {
    const session = sessionOf(line)
    if (session !== undefined) {
      if (!done.has(session)) entries.push(sessionEntry(session, bySession.get(session) ?? [line]))
      done.add(session)
      continue
    }
    // The outcome stands with its change, if that one is here too.
    if (line.kind === 'write_end' && line.requestId !== undefined && starts.has(line.requestId)) continue
    const status = line.status ?? (line.requestId === undefined ? undefined : ends.get(line.requestId)?.status)
    entries.push({ kind: 'line', key: String(line.sequence), at: line.at, line, status })
  }
  return entries
}

/** Of operators' lines: those that belong to an acting session. */
function sessionOf({ actor, act }: AccessLogLine): string | undefined {
  return actor.kind === 'operator' && act !== undefined ? act.sessionId : undefined
}

function sessionEntry(session: string, lines: readonly AccessLogLine[]): LogEntry {
  const [newest, ...rest] = lines
  const oldest = rest.at(-1) ?? newest
  const told = lines.find(({ act }) => act?.reason !== undefined)
  return {
    kind: 'session',
    key: `session ${session}`,
    at: newest?.at ?? '',
    start: oldest?.at ?? '',
    actor: newest?.actor ?? { kind: 'operator', roles: [], via: '' },
    reason: told?.act?.reason,
    ticket: told?.act?.ticket,
    lines,
    opened: lines.filter(({ kind }) => kind === 'read').length,
  }
}

/** The same with a row before the first of each UTC day. */
export function rowsOf(entries: readonly LogEntry[]): readonly LogRow[] {
  const rows: LogRow[] = []
  let day = ''
  for (const entry of entries) {
    const own = entry.at.slice(0, 10)
    if (own !== day) rows.push({ kind: 'day', key: `day ${own}`, day: own })
    day = own
    rows.push({ kind: 'entry', entry })
  }
  return rows
}

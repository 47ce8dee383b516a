import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { useLayoutEffect, useRef, useState } from 'react'
import type { ReactNode } from 'react'
import type { AccessLogLine } from '@ascribe/contract/writes'
import { useConsoleConfig } from '../../config-context.tsx'
import { formatDay, formatTime } from '../../format/dates.ts'
import { Badge } from '../../ui/Badge.tsx'
import { Icon } from '../../ui/Icon.tsx'
import { rowsOf } from './entries.ts'
import type { LogEntry, LogRow } from './entries.ts'
import { actorText, doneText, openedText } from './words.ts'

const ROW_PX = 56
const OVERSCAN = 10

/** The log, newest first, of which only what is in sight is drawn. */
export function LogList({ entries }: { entries: readonly LogEntry[] }): ReactNode {
  const rows = rowsOf(entries)
  const list = useRef<HTMLUListElement>(null)
  const [top, setTop] = useState(0)
  const [open, setOpen] = useState<ReadonlySet<string>>(() => new Set())
  useLayoutEffect(() => {
    if (list.current !== null) setTop(list.current.getBoundingClientRect().top + window.scrollY)
  }, [])
  // oxlint-disable-next-line react/incompatible-library -- The virtual list redraws by itself when it scrolls; the React compiler is not in use.
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => ROW_PX,
    overscan: OVERSCAN,
    scrollMargin: top,
    getItemKey: (index) => keyOf(rows[index]),
  })
  const toggle = (key: string): void => {
    const next = new Set(open)
    if (!next.delete(key)) next.add(key)
    setOpen(next)
  }
  return (
    <ul className="log-list" ref={list} aria-label="Entries, newest first" style={{ blockSize: virtual.getTotalSize() }}>
      {virtual.getVirtualItems().map((item) => {
        const row = rows[item.index]
        if (row === undefined) return null
        return (
          <li
            key={item.key}
            ref={virtual.measureElement}
            data-index={item.index}
            className={row.kind === 'day' ? 'log-day' : 'log-entry'}
            aria-setsize={rows.length}
            aria-posinset={item.index + 1}
            style={{ transform: `translateY(${item.start - top}px)` }}
          >
            {row.kind === 'day' ? (
              <h2>{formatDay(row.day)}</h2>
            ) : row.entry.kind === 'session' ? (
              <Session entry={row.entry} isOpen={open.has(row.entry.key)} onToggle={toggle} />
            ) : (
              <Line entry={row.entry} />
            )}
          </li>
        )
      })}
    </ul>
  )
}

function keyOf(row: LogRow | undefined): string {
  if (row === undefined) return ''
  return row.kind === 'day' ? row.key : row.entry.key
}

function Session({
  entry,
  isOpen,
  onToggle,
}: {
  entry: LogEntry & { kind: 'session' }
  isOpen: boolean
  onToggle: (key: string) => void
}): ReactNode {
  const { provider } = useConsoleConfig()
  const { key, start, at, reason, ticket, lines, opened } = entry
  const from = formatTime(start).replace(' UTC', '')
  return (
    <>
      <button type="button" className="log-session" aria-expanded={isOpen} onClick={() => onToggle(key)}>
        <span className="log-time">{from === formatTime(at).replace(' UTC', '') ? formatTime(at) : `${from} – ${formatTime(at)}`}</span>
        <span className="log-what">
          <strong>{actorText(entry)}</strong> of {provider} viewed as you · {opened} {opened === 1 ? 'request' : 'requests'}
          <span className="pages-sub">
            {reason === undefined ? 'Reason erased' : `“${reason}”`}
            {ticket !== undefined && ` · ${ticket}`} · read-only
          </span>
        </span>
        <Icon name={isOpen ? 'chevron-up' : 'chevron-down'} />
      </button>
      {isOpen && (
        <ol className="log-opened">
          {lines.map((line) => (
            <Opened key={line.sequence} line={line} />
          ))}
        </ol>
      )}
    </>
  )
}

function Opened({ line }: { line: AccessLogLine }): ReactNode {
  return (
    <li>
      <time dateTime={line.at}>{formatTime(line.at)}</time>
      <span>{line.kind === 'read' ? openedText(line) : doneText(line)}</span>
      <Status status={line.status} />
      {line.requestId !== undefined && <code title="Request id">{line.requestId}</code>}
    </li>
  )
}

function Line({ entry: { line, status } }: { entry: LogEntry & { kind: 'line' } }): ReactNode {
  const owner = line.detail?.['owner']
  const askedBy = line.personal?.['requested_by']
  return (
    <div className="log-line">
      <span className="log-time">
        <time dateTime={line.at}>{formatTime(line.at)}</time>
      </span>
      <span className="log-what">
        <strong>{actorText(line)}</strong> {line.kind === 'act' && typeof owner === 'string' && `acted as ${owner}: `}
        {doneText(line)}
        <span className="pages-sub">
          {askedBy !== undefined && `asked for by ${askedBy} · `}
          {line.requestId !== undefined && <>request {line.requestId} · </>}entry {line.sequence}
          {line.erased.length > 0 && ` · erased since: ${line.erased.join(', ')}`}
        </span>
      </span>
      <Status status={status} />
    </div>
  )
}

const CLIENT_ERROR = 400

function Status({ status }: { status: number | undefined }): ReactNode {
  if (status === undefined) return null
  return status < CLIENT_ERROR ? <span className="log-status">{status}</span> : <Badge kind="warning">{status} refused</Badge>
}

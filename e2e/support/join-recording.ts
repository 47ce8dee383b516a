import type { TeleportEvent } from './teleport-control.ts'

/** A look at an organization's data, as our trail has it. */
export type Look = {
  readonly user: string
  readonly method: string
  readonly path: string
  readonly query: string
  readonly status: number
  /** RFC 3339. */
  readonly at: string
}

export type Joined<Line> = {
  readonly pairs: readonly { readonly line: Line; readonly chunkId: string; readonly event: TeleportEvent }[]
  /** Lines that no recording has: they did not come through Teleport. */
  readonly unrecorded: readonly Line[]
}

/** Clocks of two machines, and a reply that streamed: a line is written before its reply, the event after it. */
const APART_MS_MAX = 10_000

/**
 * Joins our lines with the requests that Teleport recorded: by user, path, query, status and time, since neither knows an id of the other.
 * Each request goes to one line; of several that fit, the nearest. As docs/guides/teleport.md tells an auditor to do it.
 */
export function joinRecording<Line extends Look>(
  lines: readonly Line[],
  chunks: readonly { readonly user: string; readonly chunkId: string; readonly requests: readonly TeleportEvent[] }[],
): Joined<Line> {
  const open = chunks.flatMap(({ user, chunkId, requests }) => requests.map((event) => ({ user, chunkId, event })))
  const pairs: Joined<Line>['pairs'][number][] = []
  const unrecorded: Line[] = []
  for (const line of lines) {
    const apart = ({ event }: (typeof open)[number]): number => Math.abs(Date.parse(event.time) - Date.parse(line.at))
    const [nearest] = open
      .filter((each) => fits(line, each.user, each.event) && apart(each) <= APART_MS_MAX)
      .toSorted((a, b) => apart(a) - apart(b))
    if (nearest === undefined) unrecorded.push(line)
    else {
      open.splice(open.indexOf(nearest), 1)
      pairs.push({ line, chunkId: nearest.chunkId, event: nearest.event })
    }
  }
  return { pairs, unrecorded }
}

function fits({ user, method, path, query, status }: Look, who: string, event: TeleportEvent): boolean {
  return (
    user === who && event['method'] === method && event['path'] === path && event['raw_query'] === query && event['status_code'] === status
  )
}

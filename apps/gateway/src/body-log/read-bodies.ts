import { createReadStream, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { ServerSecret } from '@ascribe/identity'
import { listFiles } from './files.ts'
import { openLine } from './sealed-lines.ts'
import type { BodyEntry } from './types.ts'

const HOUR_MS = 3_600_000

export type BodyQuery = {
  readonly dir: string
  readonly serverSecret: ServerSecret
  readonly authId?: string
  readonly eventId?: string
  /** Admitted at or after this, and before that. UTC epoch milliseconds. */
  readonly from?: number
  readonly to?: number
  /** Called for each line that does not open: cut off, changed, or of a secret that is gone. */
  readonly onUnreadable?: (path: string) => void
}

/** Reads the body log of a machine, hour by hour, also beside gateways that write it. */
export async function* readBodies(query: BodyQuery): AsyncGenerator<BodyEntry> {
  for await (const { entry } of bodiesIn(query)) yield entry
}

async function* bodiesIn(query: BodyQuery): AsyncGenerator<{ readonly path: string; readonly entry: BodyEntry }> {
  const { dir, serverSecret, authId, from = 0, to = Infinity, eventId, onUnreadable } = query
  for (const file of listFiles(dir)) {
    if (file.from + HOUR_MS <= from || file.from >= to) continue
    for await (const line of createInterface({ input: createReadStream(file.path, 'latin1'), crlfDelay: Infinity })) {
      const entry = openLine(serverSecret, line)
      const isOther = (authId !== undefined && entry?.authId !== authId) || (eventId !== undefined && entry?.eventId !== eventId)
      if (entry === undefined) onUnreadable?.(file.path)
      else if (entry.at >= from && entry.at < to && !isOther) yield { path: file.path, entry }
    }
  }
}

/** Takes entries out of the body log. Gives how many. An entry that is written to the same file meanwhile may go with them. */
export async function eraseBodies(query: BodyQuery): Promise<number> {
  const wanted = new Map<string, Set<string>>()
  for await (const { path, entry } of bodiesIn(query)) wanted.set(path, (wanted.get(path) ?? new Set()).add(entry.eventId))
  for (const [path, ids] of wanted) {
    const lines = readFileSync(path, 'latin1').split('\n')
    const left = lines.filter((line) => !ids.has(line.slice(0, line.indexOf(' '))))
    if (left.every((line) => line === '')) {
      rmSync(path)
      continue
    }
    writeFileSync(`${path}.new`, left.join('\n'), { encoding: 'latin1', mode: 0o600 })
    renameSync(`${path}.new`, path)
  }
  return [...wanted.values()].reduce((sum, ids) => sum + ids.size, 0)
}

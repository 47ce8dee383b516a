import { appendFileSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { errorCode } from '@ascribe/kit'

const HOUR_MS = 3_600_000
/** A file holds the entries that one process has kept in one hour. */
const NAME = /^(\d{4}-\d{2}-\d{2}T\d{2})\.[\w.-]+\.bodies$/

export type BodyFile = { readonly path: string; readonly from: number; readonly bytes: number }

/** Adds a line to the file of its hour, which is made for this user alone. */
export function appendLine(
  dir: string,
  { at, writer, line }: { readonly at: number; readonly writer: string; readonly line: string },
): void {
  const path = join(dir, `${new Date(at).toISOString().slice(0, 13)}.${writer}.bodies`)
  const append = (): void => appendFileSync(path, line, { mode: 0o600 })
  try {
    append()
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    append()
  }
}

/** The files of a body log, the oldest first; files of others are none. */
export function listFiles(dir: string): readonly BodyFile[] {
  return namesIn(dir)
    .map((name) => ({ name, hour: NAME.exec(name)?.[1] }))
    .filter(({ hour }) => hour !== undefined)
    .map(({ name, hour }) => {
      const path = join(dir, name)
      return { path, from: Date.parse(`${hour}:00:00Z`), bytes: statSync(path, { throwIfNoEntry: false })?.size ?? 0 }
    })
    .toSorted((a, b) => a.from - b.from || (a.path < b.path ? -1 : 1))
}

/** Removes what is older than its time, and the oldest of what is more than there may be. Gives how many files went. */
export function removeOld(
  dir: string,
  { now, retentionMs, diskBytesMax }: { readonly now: number; readonly retentionMs: number; readonly diskBytesMax: number },
): number {
  const files = listFiles(dir)
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  let removed = 0
  for (const file of files) {
    if (file.from + HOUR_MS + retentionMs > now && bytes <= diskBytesMax) break
    rmSync(file.path, { force: true })
    bytes -= file.bytes
    removed += 1
  }
  return removed
}

function namesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  }
}

import { readFile, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parseReport } from '@ascribe/admission'
import type { LeaseReport } from '@ascribe/admission'
import { errorCode } from '@ascribe/kit'

/** A gateway says every two seconds that it lives; one that has been silent for so long is given nothing more. */
const FRESH_MS = 10_000
/** Far more than a gateway with a hundred thousand accounts tells. */
const BYTES_MAX = 64 * 1024 * 1024

export type ReadReports = {
  /** Of those that live, those that take no new connections among them. */
  readonly reports: readonly LeaseReport[]
  /** Writers that have said that they take no more requests. */
  readonly closed: readonly string[]
  /** Writers of all files, those that say nothing any more too. */
  readonly writers: readonly string[]
  /** Changes when a gateway tells something else. */
  readonly stamp: string
}

/** What gateways have told: one file for each in `folder`. What cannot be read is left out. */
export async function readReports(folder: string, now: number): Promise<ReadReports> {
  const names = (await namesIn(folder)).filter((name) => name.endsWith('.json')).toSorted((a, b) => (a < b ? -1 : 1))
  const [reports, closed, writers]: [LeaseReport[], string[], string[]] = [[], [], []]
  const stamps: string[] = []
  for (const name of names) {
    const read = await readOne(join(folder, name))
    if (read === undefined) continue
    const { report, mtimeMs, text } = read
    writers.push(report.writer)
    const isLive = report.closed !== true && now - mtimeMs < FRESH_MS
    stamps.push(`${isLive}${text}`)
    if (report.closed === true || report.retiring === true) closed.push(report.writer)
    if (isLive) reports.push(report)
  }
  return { reports, closed, writers, stamp: stamps.join('\n') }
}

/** Removes what a writer that has ended told. */
export async function removeReport(folder: string, writer: string): Promise<void> {
  await rm(join(folder, `${writer}.json`), { force: true })
}

async function readOne(
  path: string,
): Promise<{ readonly report: LeaseReport; readonly mtimeMs: number; readonly text: string } | undefined> {
  try {
    const { mtimeMs, size } = await stat(path)
    if (size > BYTES_MAX) return undefined
    const text = await readFile(path, 'utf8')
    const report = parseReport(text)
    return report === undefined ? undefined : { report, mtimeMs, text }
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined
    throw cause
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return []
    throw cause
  }
}

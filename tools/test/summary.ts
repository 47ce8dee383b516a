import { writeFile } from 'node:fs/promises'

/** What a suite came to. A suite that could not run at all writes none. */
export type Summary = { readonly passed: number; readonly failed: number; readonly skipped: number }

/** Writes the counts as JSON where `.ci/run` asked for them; does nothing without a path. */
export async function writeSummary(path: string | undefined, summary: Summary): Promise<void> {
  if (path !== undefined) await writeFile(path, `${JSON.stringify(summary)}\n`)
}

import { globSync } from 'node:fs'
import { join, matchesGlob } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import type { TestEvent } from 'node:test/reporters'
import { compactReporter } from './compact.ts'
import type { Summary } from './summary.ts'

export type RunOptions = {
  readonly root: string
  readonly files: readonly string[]
  /** How the run is shown: `spec` is a tree for people, `compact` a line a file for logs. */
  readonly style: 'spec' | 'compact'
  /** Only tests whose name matches. */
  readonly name?: string | undefined
  readonly write: (text: string) => void
}

/** A skipped test, with the reason that it gave. */
export type Skipped = { readonly file: string; readonly name: string; readonly reason: string }

export type RunResult = Summary & { readonly skips: readonly Skipped[] }

/** Files at once. Two cores; most tests wait for a disk or a child, so one more keeps them busy. */
const CONCURRENCY = 3
/** A test without a `timeout` of its own is given up after this long. */
const TEST_MS_MAX = 120_000

/**
 * The test files below `root` that match `globs` and no `except`, in order. `filters` are folders, files or parts of a path;
 * a file is taken if it matches any of them. No filter takes all.
 */
export function findTests(
  root: string,
  globs: readonly string[],
  options: { readonly except?: string; readonly filters?: readonly string[] } = {},
): string[] {
  const { except, filters = [] } = options
  const files = globSync(globs, { cwd: root, exclude: (path) => path.split('/').includes('node_modules') })
  const wanted = filters.map((filter) => filter.replace(/^\.\//, ''))
  return files
    .filter((path) => except === undefined || !matchesGlob(path, except))
    .filter((path) => wanted.length === 0 || wanted.some((filter) => path.includes(filter)))
    .toSorted()
}

/** Runs test files, each in a process of its own, shows them, and counts. */
export async function runTests(options: RunOptions): Promise<RunResult> {
  const { root, files, style, name, write } = options
  const stream = run({
    cwd: root,
    files: files.map((path) => join(root, path)),
    concurrency: CONCURRENCY,
    timeout: TEST_MS_MAX,
    execArgv: [`--import=${join(import.meta.dirname, 'watchdog.ts')}`],
    ...(name === undefined ? {} : { testNamePatterns: [new RegExp(name)] }),
  })
  const skips: Skipped[] = []
  let summary: Summary = { passed: 0, failed: 1, skipped: 0 }
  async function* watched(): AsyncGenerator<TestEvent> {
    for await (const event of stream as AsyncIterable<TestEvent>) {
      if (event.type === 'test:pass' && event.data.skip !== undefined)
        skips.push({ file: event.data.file ?? '', name: event.data.name, reason: String(event.data.skip) })
      if (event.type === 'test:summary' && event.data.file === undefined) {
        const { passed, failed, cancelled, skipped } = event.data.counts as typeof event.data.counts & { failed: number }
        summary = { passed, failed: failed + cancelled, skipped }
      }
      yield event
    }
  }
  const shown = style === 'compact' ? compactReporter(watched(), root) : reportSpec(watched())
  for await (const text of shown) write(text)
  return { ...summary, skips }
}

async function* reportSpec(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const { Readable } = await import('node:stream')
  for await (const chunk of Readable.from(events).pipe(new spec())) yield String(chunk)
}

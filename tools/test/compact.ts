import { relative } from 'node:path'
import type { TestEvent } from 'node:test/reporters'
import { inspect } from 'node:util'

/** Output of one test file that is kept for the case that it fails; more says nothing new. */
const OUTPUT_CHARS_MAX = 20_000

type FileState = { passed: number; failed: number; skipped: number; output: string; readonly failures: string[] }

/**
 * A reporter for logs: one line a file, then every failure with where it is and what was expected, then node:test's closing lines.
 * What a file printed is shown only when it failed.
 */
export async function* compactReporter(events: AsyncIterable<TestEvent>, root: string): AsyncGenerator<string> {
  const files = new Map<string, FileState>()
  const names = new Map<string, string>()
  const closing: string[] = []
  const stateOf = (path: string): FileState => {
    const state = files.get(path) ?? { passed: 0, failed: 0, skipped: 0, output: '', failures: [] }
    files.set(path, state)
    return state
  }

  // The events of single tests come in the order of their definition, held back behind slower ones; only `test:complete` comes
  // when it happens, and so a file's last one after all of its tests.
  for await (const event of events) {
    if (event.type === 'test:enqueue') {
      const { entryFile = '', testId = 0, parentId, name } = event.data as EnqueueData
      const parent = names.get(`${entryFile}#${parentId}`)
      names.set(`${entryFile}#${testId}`, parent === undefined ? name : `${parent} › ${name}`)
    } else if (event.type === 'test:stdout' || event.type === 'test:stderr') {
      const state = stateOf(event.data.file)
      state.output = (state.output + event.data.message).slice(0, OUTPUT_CHARS_MAX)
    } else if (event.type === 'test:complete') {
      const data = event.data as CompleteData
      const state = stateOf(data.entryFile ?? data.file ?? '')
      // Of all completed tests only the file itself was not started inside a file.
      const isFile = data.entryFile === undefined
      if (!isFile || isCrash(data, state))
        tally(state, data, isFile ? 'cannot be run to its end' : (names.get(`${data.entryFile}#${data.testId}`) ?? data.name), root)
      if (isFile) yield fileLine(data, state, root)
    } else if (event.type === 'test:diagnostic' && event.data.file === undefined) closing.push(`ℹ ${event.data.message}\n`)
  }
  yield* failureBlocks(files, root)
  yield* closing
}

/** What @types/node does not yet say about the events of Node 26: which file a test was started in, and under which test. */
type EnqueueData = { readonly name: string; readonly entryFile?: string; readonly testId?: number; readonly parentId?: number }

type CompleteData = {
  readonly name: string
  readonly file?: string
  readonly entryFile?: string
  readonly line?: number
  readonly testId?: number
  readonly skip?: string | boolean
  readonly details: { readonly duration_ms: number; readonly type?: string; readonly error?: Error; readonly passed?: boolean }
}

/** A file that failed without a failed test in it: it could not be loaded, or died. */
function isCrash(data: CompleteData, state: FileState): boolean {
  return !isPassed(data) && state.failed === 0
}

function isPassed({ details }: CompleteData): boolean {
  return details.passed === true
}

function tally(state: FileState, data: CompleteData, name: string, root: string): void {
  const { details, skip, file = '', line = 1 } = data
  const isSuite = details.type === 'suite'
  if (!isPassed(data)) {
    if (!isSuite) state.failed += 1
    // It failed because a test in it did; that one is shown.
    if (isSubtestFailure(details.error)) return
    if (isSuite) state.failed += 1
    state.failures.push(`✗ ${relative(root, file)}:${line} ${name}\n${indent(errorText(details.error))}`)
  } else if (skip !== undefined) state.skipped += 1
  else if (!isSuite) state.passed += 1
}

function isSubtestFailure(error: Error | undefined): boolean {
  return error !== undefined && 'failureType' in error && error.failureType === 'subtestsFailed'
}

/** The original error without the frames of Node itself, which say nothing about the test. */
function errorText(error: Error | undefined): string {
  const cause: unknown = error?.cause ?? error
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : typeof cause === 'string' ? cause : inspect(cause)
  const deeper = cause instanceof Error && cause.cause !== undefined ? `\ncaused by: ${inspect(cause.cause)}` : ''
  return (text + deeper)
    .split('\n')
    .filter((line) => !/^\s+at .*\(?node:/.test(line))
    .join('\n')
}

function fileLine(data: CompleteData, state: FileState, root: string): string {
  const seconds = (data.details.duration_ms / 1000).toFixed(1).padStart(6)
  const parts = [`${state.passed} passed`]
  if (state.failed > 0) parts.push(`${state.failed} failed`)
  if (state.skipped > 0) parts.push(`${state.skipped} skipped`)
  return `${isPassed(data) ? '✓' : '✗'}${seconds} s  ${relative(root, data.file ?? data.name)}  (${parts.join(', ')})\n`
}

function* failureBlocks(files: ReadonlyMap<string, FileState>, root: string): Generator<string> {
  for (const [path, { failures, output }] of files) {
    if (failures.length === 0) continue
    yield `\n${failures.join('\n\n')}\n`
    if (output.trim() !== '') yield `  ── output of ${relative(root, path)}\n${indent(output.trimEnd())}\n`
  }
  yield '\n'
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ')
}

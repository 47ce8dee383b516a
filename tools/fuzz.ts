import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

/*
 * `npm run fuzz`: property tests, again and again with new seeds, until each target has had its time of the processor. A failure prints the seed and the
 * smallest input that fast-check finds, and ends the run with 1.
 */

const TARGETS: Readonly<Record<string, readonly string[]>> = {
  reader: [
    'packages/usage/test/fuzz.test.ts',
    'packages/usage/test/sse.test.ts',
    'packages/usage/test/json.test.ts',
    'packages/usage/src/media/member-reader.test.ts',
    'packages/usage/src/media/media-replies.test.ts',
  ],
  scanner: [
    'packages/usage/test/fuzz.test.ts',
    'packages/usage/src/request-scan.test.ts',
    'packages/usage/src/request-splice.test.ts',
    'packages/usage/src/media/multipart.test.ts',
  ],
  parser: ['packages/relay/test/request-oracle.test.ts', 'packages/relay/test/reply-oracle.test.ts'],
}
/** A run that takes longer than this hangs: a few seconds on an idle machine, twenty times as long at the lowest priority on a busy one. */
const HANG_MS = 600_000

const { values, positionals } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, help: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const minutes = Number(values.minutes)
const unknown = positionals.find((name) => TARGETS[name] === undefined)
if (values.help)
  console.log(
    `npm run fuzz -- [${Object.keys(TARGETS).join('|')}] [--minutes 10]\n\n  --minutes   of processor time, for each target; by default 10`,
  )
else if (unknown !== undefined || !(minutes > 0)) {
  console.error(
    unknown === undefined
      ? `Cannot fuzz for "${values.minutes}" minutes: give a number above 0`
      : `Cannot fuzz "${unknown}": there are ${Object.keys(TARGETS).join(', ')}`,
  )
  process.exitCode = 2
} else for (const name of positionals.length > 0 ? positionals : Object.keys(TARGETS)) if (!fuzz(name)) process.exitCode = 1

/** Whether nothing was found. */
function fuzz(name: string): boolean {
  const files = (TARGETS[name] ?? []).map((file) => join(import.meta.dirname, '..', file))
  let runs = 0
  let spentS = 0
  while (spentS < minutes * 60) {
    const before = childSeconds()
    const { status, stdout, error } = spawnSync(process.execPath, ['--test', '--test-reporter=spec', ...files], {
      encoding: 'utf8',
      timeout: HANG_MS,
    })
    if (status !== 0) {
      console.error(`${name}: found something in run ${runs + 1}${error === undefined ? '' : ` (${error.message})`}\n${stdout}`)
      return false
    }
    runs += 1
    spentS += childSeconds() - before
  }
  console.log(`${name}: ${runs} runs of every property, ${(spentS / 60).toFixed(1)} minutes of processor time, nothing found`)
  return true
}

/** Seconds of the processor that ended children have used. */
function childSeconds(): number {
  // Node tells of itself alone; the kernel adds up in the fields 16 and 17, in hundredths.
  const fields =
    spawnSync('cat', [`/proc/${process.pid}/stat`], { encoding: 'utf8' })
      .stdout.split(') ')[1]
      ?.split(' ') ?? []
  const ticks = Number(fields[13]) + Number(fields[14])
  return Number.isFinite(ticks) ? ticks / 100 : performance.now() / 1000
}

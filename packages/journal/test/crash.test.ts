import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { recoverWriter, verifyJournal } from '../src/index.ts'
import { contentOf, readAll, recovery, temporaryRoot } from './kit.ts'

const CHILD = join(import.meta.dirname, 'child-writer.ts')
// A long run: CRASH_TEST_KILLS=400.
const KILLS = Number(process.env['CRASH_TEST_KILLS'] ?? 20)
const LANES = 4

function collect(child: ChildProcess): {
  readonly lines: string[]
  readonly ended: Promise<unknown>
  when(isLine: (line: string) => boolean): Promise<string>
} {
  const lines: string[] = []
  const waiting: { readonly isLine: (line: string) => boolean; readonly resolve: (line: string) => void }[] = []
  assert.ok(child.stdout)
  const reader = createInterface({ input: child.stdout })
  reader.on('line', (line) => {
    lines.push(line)
    for (const waiter of waiting) if (waiter.isLine(line)) waiter.resolve(line)
  })
  const ended = once(reader, 'close')
  return {
    lines,
    ended,
    when: async (isLine) => {
      const found = new Promise<string>((resolve) => waiting.push({ isLine, resolve }))
      const known = lines.find(isLine)
      const gone = ended.then(() => assert.fail(`the child ended early, having said ${lines.slice(-5).join(' | ')}`))
      return known ?? Promise.race([found, gone])
    },
  }
}

test(`kill -9 at ${KILLS} random instants: everything acknowledged is there, recovery closes the rest, twice is the same (I1-I5, I7, I11)`, async () => {
  await using place = await temporaryRoot('memory')
  const tally = { acknowledged: 0, closed: 0 }
  const lane = async (first: number): Promise<void> => {
    for (let round = first; round < KILLS; round += LANES) await killOnce(join(place.data, `round${round}`), tally)
  }
  await Promise.all(Array.from({ length: LANES }, (_, first) => lane(first)))
  assert.ok(tally.acknowledged > KILLS && tally.closed > 0, JSON.stringify(tally))
})

async function killOnce(root: string, tally: { acknowledged: number; closed: number }): Promise<void> {
  const child = spawn(process.execPath, [CHILD, root], { stdio: ['ignore', 'pipe', 'inherit'] })
  const said = collect(child)
  // Right after the start, in the midst of the first segment, and after several.
  const after = Math.floor(Math.random() ** 2 * 1500)
  await said.when(() => said.lines.length > after)
  child.kill('SIGKILL')
  await said.ended
  const [first, ...events] = said.lines
  const dir = first?.slice('ready '.length) ?? ''
  const before = contentOf(await readAll(dir))
  const present = new Set(before.map((each) => each.split(' ').slice(0, 2).join(' ')))
  for (const event of events) {
    const [kind, id] = event.split(' ')
    assert.ok(present.has(`${kind === 'i' ? 'intent' : 'settlement'} ${id}`), `${event} was acknowledged, then lost`)
  }
  tally.acknowledged += events.length
  const recovered = await recoverWriter(dir, recovery)
  assert.deepEqual([recovered.outcome, recovered.corrupt, recovered.missing], ['recovered', [], 0])
  tally.closed += recovered.closed
  const content = contentOf(await readAll(dir))
  assert.deepEqual(content.slice(0, before.length), before)
  const report = await verifyJournal(root)
  assert.deepEqual([report.violations, report.open, report.intents - report.settlements], [[], 0, 0])
  assert.equal((await recoverWriter(dir, recovery)).closed, 0)
  assert.deepEqual(contentOf(await readAll(dir)), content)
}

test('recoverWriter() that is killed over and over ends as if it had run once (I12)', async () => {
  await using place = await temporaryRoot('memory')
  const child = spawn(process.execPath, [CHILD, place.root], { stdio: ['ignore', 'pipe', 'inherit'] })
  const said = collect(child)
  await said.when(() => said.lines.length > 800)
  child.kill('SIGKILL')
  await said.ended
  const [name = ''] = await readdir(place.root)
  const dir = join(place.root, name)
  const before = contentOf(await readAll(dir))
  const code = `import { recoverWriter } from ${JSON.stringify(join(import.meta.dirname, '../src/index.ts'))}
import { recovery } from ${JSON.stringify(join(import.meta.dirname, 'kit.ts'))}
process.stdout.write('go\\n')
await recoverWriter(${JSON.stringify(dir)}, recovery)`
  for (let round = 0; round < 4; round += 1) {
    const recovering = spawn(process.execPath, ['--input-type=module-typescript', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
    const heard = collect(recovering)
    await heard.when((line) => line === 'go')
    for (let turn = 0; turn < round * 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    recovering.kill('SIGKILL')
    await heard.ended
  }
  await recoverWriter(dir, recovery)
  const report = await verifyJournal(dir)
  assert.deepEqual([report.violations, report.open], [[], 0])
  assert.deepEqual(contentOf(await readAll(dir)).slice(0, before.length), before)
  assert.deepEqual(
    (await readdir(dir)).filter((file) => file.endsWith('.tmp')),
    [],
  )
})

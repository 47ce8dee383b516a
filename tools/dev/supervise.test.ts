import assert from 'node:assert/strict'
import { mkdir, mkdtempDisposable, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { watchChanges } from './changes.ts'
import { supervise } from './supervise.ts'

/** A program that writes down each start, its version and each signal, and ends on SIGTERM and SIGINT. */
const PROGRAM = `
import { appendFileSync } from 'node:fs'
import { version } from './version.ts'
const note = (text) => appendFileSync('notes', text + '\\n')
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => { note(signal); clearInterval(alive) })
const alive = setInterval(() => {}, 1000)
note('version ' + version)
`

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 10))
}

test(
  'supervise() restarts on a change, waits after a failure for the change that mends it, and passes Ctrl-C on once',
  { timeout: 20_000 },
  async () => {
    await using temporary = await mkdtempDisposable(join(tmpdir(), 'ascribe-dev-'))
    const cwd = temporary.path
    const source = join(cwd, 'src')
    await mkdir(source)
    const setVersion = (text: string): Promise<void> => writeFile(join(source, 'version.ts'), `export const version: number = ${text}\n`)
    const notes = async (): Promise<string[]> =>
      (await readFile(join(cwd, 'notes'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '')
    await writeFile(join(source, 'main.ts'), PROGRAM)
    await writeFile(join(cwd, 'notes'), '')
    await setVersion('1')

    const stop = new AbortController()
    const said: string[] = []
    using changes = watchChanges([source])
    const supervised = supervise({
      command: [process.execPath, 'src/main.ts'],
      cwd,
      changes,
      stop: stop.signal,
      cut: new AbortController().signal,
      say: (line) => void said.push(line),
    })

    await until(async () => (await notes()).includes('version 1'))
    await writeFile(join(source, 'main.test.ts'), 'not a source of the program')
    await setVersion('2')
    await until(async () => (await notes()).includes('version 2'))
    await setVersion('(() => { throw new Error() })()')
    await until(async () => said.includes('ended with exit code 1; waiting for a change'))
    await setVersion('4')
    await until(async () => (await notes()).includes('version 4'))
    stop.abort()
    await supervised

    assert.deepEqual(await notes(), ['version 1', 'SIGTERM', 'version 2', 'SIGTERM', 'version 4', 'SIGINT'])
    assert.ok(said.every((line) => !line.includes('main.test.ts')))
  },
)

test('supervise() passes a second Ctrl-C on to a program that takes its time', { timeout: 20_000 }, async () => {
  await using temporary = await mkdtempDisposable(join(tmpdir(), 'ascribe-dev-'))
  const cwd = temporary.path
  await writeFile(
    join(cwd, 'main.ts'),
    `import { appendFileSync } from 'node:fs'
let count = 0
const alive = setInterval(() => {}, 1000)
process.on('SIGINT', () => { appendFileSync('notes', 'x'); if (++count === 2) clearInterval(alive) })
appendFileSync('notes', 'r')`,
  )
  const notes = (): Promise<string> => readFile(join(cwd, 'notes'), 'utf8').catch(() => '')
  const [stop, cut] = [new AbortController(), new AbortController()]
  using changes = watchChanges([])
  const supervised = supervise({ command: [process.execPath, 'main.ts'], cwd, changes, stop: stop.signal, cut: cut.signal, say: () => {} })
  await until(async () => (await notes()) === 'r')
  stop.abort()
  await until(async () => (await notes()) === 'rx')
  cut.abort()
  await supervised
  assert.equal(await notes(), 'rxx')
})

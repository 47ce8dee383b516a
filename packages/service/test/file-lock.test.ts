import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { LockError } from '../src/errors.ts'
import { tryLock } from '../src/file-lock.ts'

const HOLDER = join(import.meta.dirname, 'lock-holder.ts')

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ascribe-lock-'))
})
after(() => rm(folder, { recursive: true, force: true }))

class Contender implements AsyncDisposable {
  readonly child: ChildProcessWithoutNullStreams
  readonly lines: AsyncIterator<string>
  stderr = ''

  constructor(path: string) {
    this.child = spawn(process.execPath, [HOLDER, path])
    this.child.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()))
    this.lines = createInterface(this.child.stdout)[Symbol.asyncIterator]()
  }

  async says(): Promise<string> {
    return String((await this.lines.next()).value)
  }

  async end(signal?: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const gone = once(this.child, 'exit')
    if (signal === undefined) this.child.stdin.end()
    else this.child.kill(signal)
    await gone
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end('SIGKILL')
  }
}

test('tryLock() lets exactly one of 20 processes win, round after round, and the next ones after kill -9', async () => {
  const path = join(folder, 'contended.lock')
  await using stack = new AsyncDisposableStack()
  const contenders = Array.from({ length: 20 }, () => stack.use(new Contender(path)))
  for (const contender of contenders) assert.equal(await contender.says(), 'ready')

  let left = contenders
  for (let round = 0; round < 3; round += 1) {
    for (const contender of left) contender.child.stdin.write('go\n')
    const answers = await Promise.all(left.map((contender) => contender.says()))
    assert.equal(answers.filter((answer) => answer === 'won').length, 1, `round ${round}: ${answers.join(' ')}`)
    const winner = left[answers.indexOf('won')]
    assert(winner)
    await winner.end('SIGKILL')
    left = left.filter((contender) => contender !== winner)
  }
  for (const contender of contenders) assert.equal(contender.stderr, '')
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith('contended')),
    ['contended.lock'],
  )
})

test('tryLock() is refused to this process while another holds the lock, and works when it has gone', async () => {
  const path = join(folder, 'other.lock')
  await using other = new Contender(path)
  assert.equal(await other.says(), 'ready')
  other.child.stdin.write('go\n')
  assert.equal(await other.says(), 'won')
  assert.equal(tryLock(path), undefined)
  await other.end()
  using lock = tryLock(path)
  assert(lock)
})

test('tryLock() is refused twice within one process, and a refusal does not loosen the first lock', async () => {
  const path = join(folder, 'twice.lock')
  using lock = tryLock(path)
  assert(lock)
  assert.equal(tryLock(path), undefined)
  assert.equal(tryLock(path), undefined)
  await using other = new Contender(path)
  assert.equal(await other.says(), 'ready')
  other.child.stdin.write('go\n')
  assert.equal(await other.says(), 'refused')
})

test('tryLock() gives a lock whose second disposal does not release the next holder', () => {
  const path = join(folder, 'disposed.lock')
  const first = tryLock(path)
  assert(first)
  first[Symbol.dispose]()
  using second = tryLock(path)
  assert(second)
  first[Symbol.dispose]()
  assert.equal(tryLock(path), undefined)
})

test('tryLock() throws, not "held", when the folder is missing or the file is something else', async () => {
  assert.throws(() => tryLock(join(folder, 'missing', 'x.lock')), LockError)
  const foreign = join(folder, 'foreign.txt')
  await writeFile(foreign, 'somebody wrote a letter here\n'.repeat(100))
  assert.throws(() => tryLock(foreign), LockError)
})

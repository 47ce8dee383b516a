import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'

const CHILD = join(import.meta.dirname, 'run-process-child.ts')

class Child implements AsyncDisposable {
  readonly process: ChildProcessWithoutNullStreams
  readonly said: string[] = []
  stderr = ''
  readonly #lines: AsyncIterator<string>
  readonly #exit: Promise<unknown[]>

  constructor(mode: string) {
    this.process = spawn(process.execPath, [CHILD, mode])
    this.process.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()))
    this.#exit = once(this.process, 'close')
    this.#lines = createInterface(this.process.stdout)[Symbol.asyncIterator]()
  }

  async until(line: string): Promise<void> {
    for (;;) {
      const { done, value } = await this.#lines.next()
      if (done === true) assert.fail(`ended without saying ${line}, after ${this.said.join()}\n${this.stderr}`)
      this.said.push(value)
      if (value === line) return
    }
  }

  /** Exit code or signal. */
  async ended(): Promise<unknown> {
    for (;;) {
      const { done, value } = await this.#lines.next()
      if (done === true) break
      this.said.push(value)
    }
    const [code, signal] = await this.#exit
    return code ?? signal
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill('SIGKILL')
    await this.#exit
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`runProcess() drains, releases and ends with 0 on ${signal}`, async () => {
    await using child = new Child('')
    await child.until('started')
    child.process.kill(signal)
    assert.equal(await child.ended(), 0)
    assert.deepEqual(child.said, ['started', 'draining', 'released'])
  })
}

test('runProcess() takes a signal that comes twice at once for one wish', async () => {
  await using child = new Child('')
  await child.until('started')
  child.process.kill('SIGINT')
  child.process.kill('SIGINT')
  child.process.kill('SIGTERM')
  assert.equal(await child.ended(), 0)
  assert.deepEqual(child.said, ['started', 'draining', 'released'])
})

test('runProcess() cuts on the second signal', async () => {
  await using child = new Child('cut')
  await child.until('started')
  child.process.kill('SIGINT')
  await child.until('draining')
  child.process.kill('SIGINT')
  assert.equal(await child.ended(), 0)
  assert.deepEqual(child.said, ['started', 'draining', 'cut', 'released'])
})

test('runProcess() cuts by itself when its grace is over', async () => {
  await using child = new Child('grace')
  await child.until('started')
  child.process.kill('SIGTERM')
  assert.equal(await child.ended(), 0)
  assert.deepEqual(child.said, ['started', 'draining', 'cut', 'released'])
})

for (const [mode, name] of [
  ['uncaught', 'TypeError'],
  ['rejection', 'nobody caught this'],
] as const) {
  test(`runProcess() logs what nobody caught (${mode}), releases everything and ends with 1`, async () => {
    await using child = new Child(mode)
    assert.equal(await child.ended(), 1)
    assert.deepEqual(child.said, ['started', 'draining', 'released'])
    assert.match(child.stderr, new RegExp(name))
  })
}

test('runProcess() ends with 0 when the process itself asks to stop, with 1 when releasing fails', async () => {
  await using stopped = new Child('stop')
  assert.equal(await stopped.ended(), 0)
  await using failed = new Child('dispose-fails')
  await failed.until('started')
  failed.process.kill('SIGTERM')
  assert.equal(await failed.ended(), 1)
  assert.match(failed.stderr, /disk full/)
})

test('runProcess() leaves a failed start to its caller, and a start cut short by a signal is none', async () => {
  await using failed = new Child('throw-in-start')
  await failed.until('failed: no disk')
  await using cut = new Child('stop-in-start')
  await cut.until('starting')
  cut.process.kill('SIGINT')
  await cut.until('draining')
})

test('runProcess() names what was not released and ends all the same', async () => {
  await using child = new Child('linger')
  await child.until('started')
  child.process.kill('SIGTERM')
  assert.equal(await child.ended(), 'SIGTERM')
  assert.match(child.stderr, /"resources":\[.*"Timeout"/)
})

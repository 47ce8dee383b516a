import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { Command } from 'commander'
import { COMMANDS } from './command-list.ts'
import { runProgram } from './program.ts'
import type { Surroundings } from './surroundings.ts'

/** Runs a command line as a stranger would, with nothing around it. */
async function run(args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const surroundings = { stdout, stderr, env: {} } as unknown as Surroundings
  const output = Promise.all([text(stdout), text(stderr)])
  const code = await runProgram(args, surroundings)
  stdout.end()
  stderr.end()
  const [out, err] = await output
  return { code, out, err }
}

/** The paths of all commands that have something to say. */
async function paths(): Promise<readonly string[][]> {
  const found: string[][] = []
  for (const { name, load } of COMMANDS) {
    const command = new Command(name)
    ;(await load())(command, {} as Surroundings, () => {})
    walk(command, [name], found)
  }
  return found
}

function walk(command: Command, path: string[], found: string[][]): void {
  found.push(path)
  for (const child of command.commands) walk(child, [...path, child.name()], found)
}

test('--help of every command explains it, and is never a bug', async () => {
  for (const path of await paths()) {
    const { code, out, err } = await run([...path, '--help'])
    assert.equal(code, 0, `${path.join(' ')}: ${err}`)
    assert.ok(out.includes(`Usage: ascribe ${path.join(' ')}`), out)
  }
})

test('a typo in an option of any command is a wrong call, and never a bug', async () => {
  for (const path of await paths()) {
    const { code, err } = await run([...path, '--no-such-option'])
    assert.equal(code, 2, `${path.join(' ')}: ${err}`)
  }
})

test('a mistyped word below a command that does something itself is told from an argument', async () => {
  const { code, err } = await run(['rate', 'verfy'])
  assert.equal(code, 2)
  assert.match(err, /unknown command 'verfy' of 'rate'\n\(Did you mean verify\?\)/)
  assert.match((await run(['config', 'everything'])).err, /'everything'/)
  assert.match((await run(['ordgs', 'list'])).err, /Did you mean orgs\?/)
})

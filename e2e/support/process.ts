import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const CLI = fileURLToPath(new URL('../../apps/cli/src/main.ts', import.meta.url))
/** Nothing here takes this long; what does is stuck. */
const PATIENCE_MS = 60_000

export type Finished = { readonly code: number | null; readonly stdout: string; readonly stderr: string }

/** A running `ascribe`, in a process group of its own. */
export type Running = AsyncDisposable & {
  readonly pid: number
  /** The first line of stdout; `undefined` when it ended without one. */
  readonly firstLine: Promise<string | undefined>
  /** What has been written to stderr so far. */
  stderr(): string
  kill(signal: NodeJS.Signals): void
  /** It has ended and all of its output has been read. */
  readonly ended: Promise<Finished>
  /** It has ended; what it started may still hold its output open. */
  readonly exited: Promise<void>
}

export type RunOptions = {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** How long a command may take before it is killed. Default 60 s. */
  readonly patienceMs?: number
}

/** Starts the CLI from its sources with this very Node. */
export function start(args: readonly string[], options: RunOptions = {}): Running {
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(process.execPath, [CLI, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...withoutAscribe(process.env), NO_COLOR: '1', ...options.env },
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    detached: true,
  })
  let stdout = ''
  let stderr = ''
  const first = Promise.withResolvers<string | undefined>()
  // Read by an event, never by an iterator that nobody goes on with: that would stop the child at a full pipe.
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    const end = stdout.indexOf('\n')
    if (end >= 0) first.resolve(stdout.slice(0, end))
  })
  child.stdout.once('close', () => first.resolve(undefined))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = once(child, 'close').then(([code]: (number | null)[]) => ({ code: code ?? null, stdout, stderr }))
  const exited = once(child, 'exit').then(() => {})
  const kill = (signal: NodeJS.Signals): void => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
  }
  return {
    pid: child.pid ?? -1,
    firstLine: first.promise,
    stderr: () => stderr,
    kill,
    ended,
    exited,
    async [Symbol.asyncDispose]() {
      kill('SIGINT')
      const patience = setTimeout(() => kill('SIGKILL'), PATIENCE_MS)
      await ended
      clearTimeout(patience)
    },
  }
}

/** Runs the CLI to its end. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const running = start(args, options)
  const patience = setTimeout(() => running.kill('SIGKILL'), options.patienceMs ?? PATIENCE_MS)
  const finished = await running.ended
  clearTimeout(patience)
  return finished
}

/** Runs the CLI with `--json` and gives what it printed, parsed. @throws when it fails */
export async function ask<Answer>(args: readonly string[], options: RunOptions = {}): Promise<Answer> {
  const { code, stdout, stderr } = await run([...args, '--json'], options)
  if (code !== 0) throw new Error(`ascribe ${args.join(' ')} ended with ${code}:\n${stderr}`)
  return JSON.parse(stdout) as Answer
}

/** The lines of a command that prints one JSON object a line. */
export async function askLines<Line>(args: readonly string[], options: RunOptions = {}): Promise<Line[]> {
  const { code, stdout, stderr } = await run([...args, '--json'], options)
  if (code !== 0) throw new Error(`ascribe ${args.join(' ')} ended with ${code}:\n${stderr}`)
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
}

function withoutAscribe(env: NodeJS.ProcessEnv): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(ASCRIBE_|CLOUDSIGMA_|DATABASE_URL$)/.test(name)))
}

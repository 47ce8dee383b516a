import { spawn } from 'node:child_process'
import type { RunAs } from './run-as.ts'

/** A program to start without a shell, and as whom. */
export type Command = {
  readonly file: string
  readonly args: readonly string[]
  readonly uid?: number
  readonly gid?: number
}

/** What a finished program said. `code` is undefined when it could not be started or was killed; `stderr` then says why. */
export type CommandResult = { readonly code: number | undefined; readonly stdout: string; readonly stderr: string }

/** initdb waits for the disk; anything that takes this long hangs. */
const COMMAND_TIMEOUT_MS = 120_000

/**
 * The environment of the server and its tools. Nothing of ours is inherited: it may hold secrets, and PG* and LC_* variables
 * would change what the server does. Messages in C, so that they can be recognised.
 */
export const SERVER_ENV: Readonly<Record<string, string>> = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

/** `file args` run with the given privileges. */
export function commandAs(runAs: RunAs, file: string, args: readonly string[]): Command {
  switch (runAs.kind) {
    case 'self':
      return { file, args }
    case 'mapped':
      // Without --fork, unshare becomes the program, so that the child's pid is the server's.
      return { file: runAs.unshare, args: ['--user', `--map-user=${runAs.uid}`, `--map-group=${runAs.uid}`, file, ...args] }
    case 'user':
      return { file, args, uid: runAs.uid, gid: runAs.gid }
  }
}

/** Runs a program to its end. Never throws. */
export function runCommand(command: Command, timeoutMs: number = COMMAND_TIMEOUT_MS): Promise<CommandResult> {
  const { promise, resolve } = Promise.withResolvers<CommandResult>()
  let child
  try {
    child = spawn(command.file, [...command.args], {
      env: SERVER_ENV,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      ...(command.uid === undefined ? {} : { uid: command.uid }),
      ...(command.gid === undefined ? {} : { gid: command.gid }),
    })
  } catch (thrown) {
    // EACCES and EPERM of setuid come as an exception on some systems.
    return Promise.resolve({ code: undefined, stdout: '', stderr: String(thrown) })
  }
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.on('error', (error) => resolve({ code: undefined, stdout, stderr: error.message }))
  child.on('close', (code, signal) =>
    resolve({ code: code ?? undefined, stdout, stderr: signal === null ? stderr : `${stderr}killed by ${signal}` }),
  )
  return promise
}

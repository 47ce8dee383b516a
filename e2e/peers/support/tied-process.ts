import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'

/** Writes to it do nothing; while it is open, the process may live. */
export type TiedProcess = ChildProcessByStdio<Writable, Readable, Readable>

export type TiedOptions = { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> }

// A watcher waits for the end of our stdin, which comes when we die, however we die; then it ends the program, if that is still
// its parent: after the program's own death its number may belong to somebody else. `exec` keeps the number we know it by.
const TIE = `exec 3<&0
(cat <&3 > /dev/null; exec sh -c '[ "$PPID" = "$1" ] && kill "$1"' sh $$) > /dev/null 2>&1 &
exec "$@" 3<&- < /dev/null`

/** Starts a program that does not outlive this process, not even its `kill -9`. */
export function spawnTied(command: string, args: readonly string[], options: TiedOptions = {}): TiedProcess {
  const child = spawn('sh', ['-c', TIE, 'sh', command, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...basicEnv(), ...options.env },
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  })
  child.stdin.on('error', () => {
    // The program is gone, and its watcher with it.
  })
  child.once('exit', () => child.stdin.destroy())
  return child
}

/** What a program needs to find its way; nothing that would change how it behaves (uvicorn takes its port from `PORT`). */
function basicEnv(): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([name]) => /^(PATH|HOME|TMPDIR|LANG|LC_ALL|USER|XDG_CACHE_HOME)$/.test(name) || /^(PIP_|SSL_|REQUESTS_CA|.*_proxy$)/i.test(name),
  )
  return Object.fromEntries(kept.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
}

import { chmodSync, lstatSync, mkdirSync, rmSync, statSync } from 'node:fs'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Server } from 'node:net'
import { dirname } from 'node:path'
import { errorCode } from '@ascribe/kit'
import { ListenError } from './errors.ts'

const OTHERS_WRITE = 0o022

/**
 * Makes `server` listen on a socket that nobody but this user may open (mode 0600), in a folder that nobody else may write to. A socket that a
 * killed process left is taken away; one that somebody listens on, and a file that is none, stay. The answer removes it, once the server is closed.
 * @throws {ListenError} with the way out
 */
export async function listenOnSocket(server: Server, path: string): Promise<Disposable> {
  await prepare(path)
  const listening = once(server, 'listening')
  bind(server, path)
  try {
    await listening
  } catch (cause) {
    throw new ListenError(`Cannot listen on ${path}: ${errorCode(cause) ?? 'it failed'}`, { cause })
  }
  chmodSync(path, 0o600)
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) }
}

/**
 * From its first instant on: who connects before the mode is set would be let in. The mask is the whole process's, so that it is back before
 * anything else runs: a socket's file is there when `listen` returns.
 */
function bind(server: Server, path: string): void {
  const before = process.umask(0o177)
  try {
    server.listen(path)
  } finally {
    process.umask(before)
  }
}

/** Whether the socket of this path is this user's, in a folder that only this user may write to: whoever listens there is nobody else. */
export function isOwnSocket(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false })
  return found?.isSocket() === true && found.uid === process.getuid?.() && isOwnFolder(dirname(path))
}

function isOwnFolder(folder: string): boolean {
  const { mode, uid } = statSync(folder)
  return (mode & OTHERS_WRITE) === 0 && uid === process.getuid?.()
}

async function prepare(path: string): Promise<void> {
  const folder = dirname(path)
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new ListenError(`Cannot listen on ${path}: its folder cannot be made (${errorCode(cause) ?? 'it failed'})`, { cause })
  }
  if (!isOwnFolder(folder))
    throw new ListenError(`Cannot listen on ${path}: others may write to its folder; take one of your own, with mode 0700`)
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) throw new ListenError(`Cannot listen on ${path}: there is a file of that name`)
  if (await isAnswered(path)) throw new ListenError(`Cannot listen on ${path}: another process listens there`)
  rmSync(path)
}

async function isAnswered(path: string): Promise<boolean> {
  const socket = connect(path)
  const { promise, resolve } = Promise.withResolvers<boolean>()
  socket.on('connect', () => resolve(true))
  socket.on('error', () => resolve(false))
  return promise.finally(() => socket.destroy())
}

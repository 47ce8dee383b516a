import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { dirname } from 'node:path'
import { setImmediate as afterReads } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { AscribeError, errorCode } from '@ascribe/kit'
import type { Logger } from '@ascribe/kit'

/** Another process listens at the same place, and would not hand its sockets over, or not to the end. */
export class HandoverError extends AscribeError {
  override readonly code = 'HANDOVER_FAILED'
}

/** Longest path of a Unix socket that every platform takes. */
const PATH_LENGTH_MAX = 103
/** Two processes are started on the way, on a machine that may be busy. */
const PATIENCE_MS = 30_000
const PASS = fileURLToPath(new URL('./pass-sockets.ts', import.meta.url))
const RECEIVE = fileURLToPath(new URL('./receive-sockets.ts', import.meta.url))

export type Offer = {
  /** Of a Unix socket that is made, in a folder for this user alone. */
  readonly path: string
  /** The listening sockets, in an order that both sides know. */
  readonly fds: () => readonly number[]
  /** The other one is ready: leave it the place. Resolves when nothing more is accepted here. */
  readonly onTakeover: () => Promise<void>
  readonly logger: Logger
}

/**
 * Offers the listening sockets of this process to one that is started to take its place. They travel as file descriptors, so that nobody who
 * connects meanwhile is refused or reset. Where the path is too long for a socket, nothing is offered, which is logged.
 */
export async function offerSockets(offer: Offer): Promise<AsyncDisposable> {
  const { path, logger } = offer
  if (path.length > PATH_LENGTH_MAX) {
    logger.warn('no other process can take over without a gap: the path of the data directory is too long for a socket', { path })
    return { [Symbol.asyncDispose]: () => Promise.resolve() }
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  // Whoever holds the port is the only one who may be here.
  rmSync(path, { force: true })
  const server = createServer((client) => {
    client.on('error', () => client.destroy())
    client.once('data', (word) => {
      const isTakeover = String(word) === 'take\n'
      // The other one listens at the same path in a moment: closed later, this one would take it away.
      if (isTakeover && server.listening) server.close()
      void answer(offer, client, isTakeover ? 'take' : String(word).trim())
    })
  })
  server.listen(path)
  await once(server, 'listening')
  chmodSync(path, 0o600)
  server.unref()
  return {
    [Symbol.asyncDispose]: () => {
      if (server.listening) server.close()
      return Promise.resolve()
    },
  }
}

async function answer({ fds, onTakeover, logger }: Offer, client: Socket, word: string): Promise<void> {
  try {
    if (word === 'sockets') {
      client.pause()
      // A stream that has given its data asks for more in the next tick, and would take what is meant for the child.
      await afterReads()
      // The channel of that process is the connection itself: this is how node passes descriptors (NODE_CHANNEL_FD).
      const passing = spawn(process.execPath, [PASS], { stdio: ['ignore', 'ignore', 'inherit', client, ...fds()], env: CHANNEL })
      await once(passing, 'exit')
      client.destroy()
    } else if (word === 'take') {
      logger.info('another process takes over')
      await onTakeover()
      client.end('done\n')
    } else client.destroy()
  } catch (error) {
    logger.error('cannot hand over', { error })
    client.destroy()
  }
}

const CHANNEL = { NODE_CHANNEL_FD: '3' }

/** What another process has handed over. */
export type Taken = {
  readonly fds: readonly number[]
  /** Tells it that this one is ready. Resolves when it accepts nothing more. @throws {HandoverError} */
  take(): Promise<void>
}

/** Asks who offers its sockets at `path` for them; `undefined`: nobody does. @throws {HandoverError} */
export async function askForSockets(path: string): Promise<Taken | undefined> {
  const client = path.length > PATH_LENGTH_MAX ? undefined : await reach(path)
  if (client === undefined) return undefined
  const handles = await receive(client)
  return {
    fds: handles.map(({ fd }) => fd),
    async take() {
      // Held until here: what nobody holds is closed when it is collected.
      const other = handles.length > 0 ? await reach(path) : undefined
      if (other === undefined) throw new HandoverError('Cannot take over: the process before this one has gone')
      other.write('take\n')
      const done = await textOf(other)
      if (done !== 'done\n') throw new HandoverError('Cannot take over: the process before this one did not leave')
    },
  }
}

/** A connection to who listens at `path`; `undefined`: nobody does. */
async function reach(path: string): Promise<Socket | undefined> {
  const client = connect(path)
  try {
    await once(client, 'connect')
    return client
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ECONNREFUSED') return undefined
    throw new HandoverError(`Cannot ask the process at ${path} for its sockets`, { cause: error })
  }
}

/** A handle that is open and not listened on by this process. */
type Handle = { readonly fd: number }

/** Kept for ever: a handle that is collected closes what others were given the number of. */
const kept: Handle[] = []

async function receive(client: Socket): Promise<readonly Handle[]> {
  const handles: Handle[] = []
  client.write('sockets\n')
  // `env` sets the channel of the child to the connection: spawn() itself would set it to the way back to us.
  const child = spawn('/usr/bin/env', ['NODE_CHANNEL_FD=3', process.execPath, RECEIVE], {
    stdio: ['ignore', 'ignore', 'inherit', client, 'ipc'],
  })
  child.on('message', (_message, handle) => void (handle !== undefined && handles.push(handle as unknown as Handle)))
  const patience = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  try {
    const [code] = (await once(child, 'close')) as [number | null]
    if (code !== 0 || handles.length === 0) {
      throw new HandoverError(`Cannot take over: the process before this one did not hand over its sockets (${code ?? 'no answer'})`)
    }
  } finally {
    clearTimeout(patience)
    client.destroy()
  }
  kept.push(...handles)
  return handles
}

async function textOf(socket: Socket): Promise<string> {
  socket.setTimeout(PATIENCE_MS, () => socket.destroy())
  let text = ''
  for await (const piece of socket.setEncoding('utf8')) text += String(piece)
  return text
}

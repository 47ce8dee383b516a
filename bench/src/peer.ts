import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Unavailable } from './errors.ts'
import { Lines, start } from './processes.ts'
import type { Started } from './processes.ts'

const COMPILER = 'cc'
const SOURCES = join(import.meta.dirname, '..', 'peer')

/** Microseconds. */
export type Quantiles = { readonly count: number; readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number }

export type PeerRun = {
  /** Of the proxy, on 127.0.0.1. */
  readonly port: number
  readonly request: Buffer
  readonly connections: number
  /** Poisson arrivals a second; without it, a closed loop. */
  readonly rate?: number
  /** Before the window, at least. */
  readonly warmSeconds: number
  /** Replies and events that must have come before the window opens; given up after ten seconds. Default 0. */
  readonly warmCount?: number
  readonly seconds: number
  /** Content events of a stream, each 300 bytes; then come one with the usage, and `[DONE]`. */
  readonly events?: number
  /** Between content events; 0: all at once. */
  readonly intervalMs?: number
  /** The proxy writes bodies anew: do not compare their bytes, only status, framing and events. */
  readonly loose?: boolean
  /** Whose CPU time is counted. */
  readonly pids: readonly number[]
}

export type PeerResult = {
  readonly seconds: number
  readonly completed: number
  readonly chunks: number
  readonly mismatches: number
  readonly broken: number
  /** Requests that waited for a free connection. */
  readonly queued: number
  /** CPU seconds of the processes that were named. */
  readonly user: number
  readonly system: number
  /** From the instant at which a request was due to the first, and the last, byte of its reply's body. */
  readonly firstByteUs: Quantiles
  readonly lastByteUs: Quantiles
  /** From the engine's write of an event to its arrival. */
  readonly chunkUs: Quantiles
  /** The first thing that was wrong; empty: nothing. */
  readonly complaint: string
}

/** The engine and the clients, in one process. */
export type Peer = AsyncDisposable & {
  /** Where its engine listens. */
  readonly port: number
  run(options: PeerRun): Promise<PeerResult>
}

/** Compiles the peer, unless that has been done, and starts it. */
export async function startPeer(cache: string, scratch: string): Promise<Peer> {
  const started = start([compile(cache)], { core: 'peer', stdin: 'pipe' })
  const lines = new Lines(started)
  const { port } = await lines.next<{ port: number }>()
  const requestFile = join(scratch, 'request')
  return {
    port,
    async run(options) {
      writeFileSync(requestFile, options.request)
      started.process.stdin?.write(`${commandOf(options, requestFile)}\n`)
      const result = await lines.next<PeerResult & { error?: string }>()
      if (result.error !== undefined) throw new Error(`Cannot run the peer: ${result.error}`)
      return result
    },
    [Symbol.asyncDispose]: () => stop(started),
  }
}

async function stop(started: Started): Promise<void> {
  await started[Symbol.asyncDispose]()
}

function commandOf(run: PeerRun, requestFile: string): string {
  const fields = {
    port: run.port,
    connections: run.connections,
    rate: run.rate ?? 0,
    warm: run.warmSeconds,
    warmed: run.warmCount ?? 0,
    seconds: run.seconds,
    events: run.events ?? 0,
    interval: run.intervalMs ?? 0,
    loose: run.loose === true ? 1 : 0,
    pids: run.pids.join(',') || '0',
    request: requestFile,
  }
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}

function compile(cache: string): string {
  const sources = readdirSync(SOURCES).toSorted()
  const hash = createHash('sha256')
  for (const name of sources) hash.update(readFileSync(join(SOURCES, name)))
  const program = join(cache, `peer-${hash.digest('hex').slice(0, 12)}`)
  if (existsSync(program)) return program
  mkdirSync(cache, { recursive: true })
  const files = sources.filter((name) => name.endsWith('.c')).map((name) => join(SOURCES, name))
  try {
    execFileSync(COMPILER, ['-O2', '-D_GNU_SOURCE', '-o', `${program}.new`, ...files, '-lm'], { stdio: ['ignore', 'ignore', 'pipe'] })
  } catch (cause) {
    throw new Unavailable(`Cannot compile the peer: it takes a C compiler called ${COMPILER} (on Debian: apt-get install gcc libc6-dev)`, {
      cause,
    })
  }
  renameSync(`${program}.new`, program)
  return program
}

import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Header } from './requests.ts'
import { IDENTITY_HEADERS } from './requests.ts'
import { Lines, start } from './processes.ts'

/** A proxy in front of the peer's engine, in a process of its own. */
export type Contestant = AsyncDisposable & {
  readonly name: string
  readonly version?: string
  readonly pid: number
  readonly port: number
  /** Where it does not hold replies back, if that is another place. */
  readonly streamPort?: number
  /** Four headers of the requests to it. */
  readonly headers: readonly Header[]
  /** It writes bodies anew. */
  readonly loose?: boolean
}

type Ready = { readonly port: number; readonly key?: string }

/** The relay by itself: no gate, no usage, no journal. */
export async function startBareRelay(enginePort: number): Promise<Contestant> {
  const started = start(nodeProgram(new URL('./relay-process.ts', import.meta.url), [String(enginePort)]), { core: 'contestant' })
  const { port } = await new Lines(started).next<Ready>()
  return { ...started, name: 'our relay, bare', port, headers: IDENTITY_HEADERS }
}

export type GatewayContestant = Contestant & {
  readonly byKey: Contestant
  /** The next line that its process prints, as JSON. */
  readonly next: <T>() => Promise<T>
}

/**
 * The whole gateway with a journal on the disk under `places`. It believes the headers of this machine; `byKey` is the same
 * process, asked with an API key.
 */
export async function startWholeGateway(
  enginePort: number,
  options: {
    readonly ack: 'durable' | 'async'
    readonly scratch: string
    readonly nodeArguments?: readonly string[]
    /** To the engine at once; default: the gateway's own. */
    readonly connections?: number
  },
): Promise<GatewayContestant> {
  const dir = mkdtempSync(join(options.scratch, 'gateway-'))
  const program = nodeProgram(
    new URL('./gateway-process.ts', import.meta.url),
    [String(enginePort), options.ack, dir, ...(options.connections === undefined ? [] : [String(options.connections)])],
    options.nodeArguments,
  )
  const started = start(program, { core: 'contestant' })
  const lines = new Lines(started)
  const { port, key = '' } = await lines.next<Ready>()
  const release = async (): Promise<void> => {
    await started[Symbol.asyncDispose]()
    rmSync(dir, { recursive: true, force: true })
  }
  const name = options.ack === 'durable' ? 'ascribe gateway' : 'ascribe gateway, ack: async'
  const common = { pid: started.pid, port, [Symbol.asyncDispose]: release }
  const keyHeaders: readonly Header[] = [
    ['Authorization', `Bearer ${key}`],
    ['X-Stainless-Lang', 'js'],
    ['X-Stainless-Runtime', 'node'],
    ['X-Stainless-Retry-Count', '0'],
  ]
  return {
    ...common,
    name,
    headers: IDENTITY_HEADERS,
    next: () => lines.next(),
    byKey: { ...common, name: `${name}, API key`, headers: keyHeaders },
  }
}

/** The command that runs a file with the Node that runs us. */
export function nodeProgram(file: URL, rest: readonly string[], nodeArguments: readonly string[] = []): string[] {
  return [process.execPath, ...nodeArguments, fileURLToPath(file), ...rest]
}

import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { Agent, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { startEngine } from '@ascribe/sandbox'
import type { Faults, SandboxEngine } from '@ascribe/sandbox'
import { ask, start } from './process.ts'
import type { Running } from './process.ts'
import { temporaryDir } from './product.ts'

/** An engine, a settler and a key on one data directory, for gateways that share a port. */
export type OnePort = AsyncDisposable & {
  readonly data: readonly string[]
  readonly engine: SandboxEngine
  readonly key: string
  /** Starts a gateway and waits for its ready line. */
  serve(options: { readonly workers: number; readonly port: string; readonly opsPort?: string }): Promise<Served>
}

export type Served = { readonly running: Running; readonly url: string; readonly metrics: string }

export async function startOnePort(faults: Faults): Promise<OnePort> {
  await using stack = new AsyncDisposableStack()
  const { path: dir } = stack.use(temporaryDir())
  const engine = stack.use(await startEngine({ faults, seenMax: 100_000 }))
  const data = ['--data', dir] as const
  await ask(['orgs', 'create', '--name', 'Workers', ...data])
  const { key } = await ask<{ key: string }>(['keys', 'create', '--org', 'Workers', ...data])
  const settler = stack.use(start(['settler', '--metrics-port', '0', '--json', ...data]))
  await settler.firstLine
  const owned = stack.move()
  return {
    data,
    engine,
    key,
    async serve({ workers, port, opsPort = '0' }) {
      const running = owned.use(
        start(['gateway', '--port', port, '--metrics-port', opsPort, '--upstream', engine.url, '--json', ...data], {
          env: { ASCRIBE_GATEWAY_WORKERS: String(workers) },
        }),
      )
      const line = await running.firstLine
      if (line === undefined) throw new Error(`the gateway did not come up:\n${(await running.ended).stderr}`)
      const { gateway = '', metrics = '' } = JSON.parse(line) as Record<string, string>
      return { running, url: gateway, metrics }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Processes that `pid` has started and that live. Linux. */
export function childrenOf(pid: number): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((each) => statOf(each)?.parent === pid)
}

/** Whether a process is there, and is not just waiting for somebody to hear of its end. */
export function lives(pid: number): boolean {
  const state = statOf(pid)?.state
  return state !== undefined && state !== 'Z'
}

function statOf(pid: number): { readonly state: string; readonly parent: number } | undefined {
  try {
    const [state = '', parent = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return { state, parent: Number(parent) }
  } catch {
    return undefined
  }
}

/** What a client that counts everything saw of one request. */
export type Heard = { readonly status: number; readonly eventId: string; readonly whole: boolean; readonly error?: string }

/** Asks for a completion; nothing is tried again. */
export async function askOnce(
  url: string,
  options: { readonly key: string; readonly agent: Agent; readonly stream: boolean },
): Promise<Heard> {
  const { key, agent, stream } = options
  const body = JSON.stringify({
    model: 'sandbox-small',
    stream,
    max_tokens: 20,
    messages: [{ role: 'user', content: 'tell me about ports' }],
  })
  const asking = request(`${url}/v1/chat/completions`, {
    method: 'POST',
    agent,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
  })
  // Of a reply that breaks off; its reader hears of it too.
  asking.on('error', () => {})
  asking.end(body)
  try {
    const [reply] = (await once(asking, 'response')) as [IncomingMessage]
    let text = ''
    for await (const piece of reply.setEncoding('utf8')) text += String(piece)
    const whole = stream ? text.includes('data: [DONE]') : text.endsWith('}')
    return { status: reply.statusCode ?? 0, eventId: String(reply.headers['x-request-id']), whole }
  } catch (error) {
    return { status: 0, eventId: '', whole: false, error: String(error) }
  }
}

/** Asks again and again until told to stop: `clients` at once, half of them on connections that are kept, half on new ones. */
export async function load(
  url: string,
  options: { readonly key: string; readonly clients: number; readonly signal: AbortSignal },
): Promise<Heard[]> {
  const heard: Heard[] = []
  await Promise.all(
    Array.from({ length: options.clients }, async (_none, index) => {
      const agent = new Agent({ keepAlive: index % 2 === 0 })
      while (!options.signal.aborted) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        heard.push(await askOnce(url, { key: options.key, agent, stream: index % 3 === 0 }))
      }
      agent.destroy()
    }),
  )
  return heard
}

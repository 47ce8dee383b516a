import { SANDBOX_MODELS, startEngine } from '@ascribe/sandbox'
import type { Faults, SandboxEngine } from '@ascribe/sandbox'
import { ask, start } from './process.ts'
import type { Running } from './process.ts'
import { currentMonth, temporaryDir } from './product.ts'
import type { Statement } from './product.ts'

/** Gateways of their own processes, a settler, and an engine, on one data directory. */
export type Gateways = AsyncDisposable & {
  readonly dir: string
  readonly engine: SandboxEngine
  readonly urls: readonly string[]
  readonly organizationId: string
  readonly key: string
  readonly authId: string
  /** Kills one with SIGKILL, and waits until it is dead. */
  kill(index: number): Promise<void>
  /** Starts one more, and gives its index. */
  add(): Promise<number>
  cli<Answer>(...args: readonly string[]): Promise<Answer>
  statement(): Promise<Statement>
  /** What is spent, reserved and left of the only budget, as the settler has counted. */
  standing(): Promise<{ readonly spent: string; readonly reserved: string; readonly left: string }>
}

/** Starts them, with the prices of the sandbox in force. */
export async function startGateways(count: number, faults: Faults, { workers = 1 }: { readonly workers?: number } = {}): Promise<Gateways> {
  await using stack = new AsyncDisposableStack()
  const { path: dir } = stack.use(temporaryDir())
  const engine = stack.use(await startEngine({ faults }))
  const cli = <Answer>(...args: readonly string[]): Promise<Answer> => ask<Answer>(['--data', dir, ...args])
  const { id: organizationId } = await cli<{ id: string }>('orgs', 'create', '--name', 'Acme')
  const { key, auth_id: authId } = await cli<{ key: string; auth_id: string }>('keys', 'create', '--org', 'Acme')
  await cli('prices', 'apply', PRICES)
  const running: Running[] = []
  let owned: AsyncDisposableStack | undefined
  const urls: string[] = []

  async function launch(...args: readonly string[]): Promise<Record<string, string>> {
    const process = start([...args, '--json', '--data', dir, '--metrics-port', '0'], { env: { ASCRIBE_GATEWAY_WORKERS: String(workers) } })
    const owner = owned ?? stack
    owner.use(process)
    running.push(process)
    const line = await process.firstLine
    if (line === undefined) throw new Error(`ascribe ${args[0]} did not come up:\n${(await process.ended).stderr}`)
    return JSON.parse(line) as Record<string, string>
  }

  async function add(): Promise<number> {
    const { gateway = '' } = await launch('gateway', '--port', '0', '--upstream', engine.url)
    return urls.push(gateway) - 1
  }

  // The settler is the first to start and the last to stop.
  await launch('settler')
  for (let index = 0; index < count; index += 1) await add()
  owned = stack.move()
  const everything = owned
  return {
    dir,
    engine,
    urls,
    organizationId,
    key,
    authId,
    async kill(index) {
      const process = running[index + 1]
      process?.kill('SIGKILL')
      await process?.exited
    },
    add,
    cli,
    statement: () => cli<Statement>('statement', '--org', organizationId, '--month', currentMonth()),
    async standing() {
      const [budget] = await cli<{ standings: { spent: string; reserved: string; left: string }[] }[]>('budgets', 'list')
      return budget?.standings[0] ?? { spent: '0', reserved: '0', left: '0' }
    },
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  }
}

const PRICES = new URL(import.meta.resolve('@ascribe/sandbox/prices.yaml')).pathname

/** One request for one of the sandbox's models; the reply as it came. */
export async function askChat(
  url: string,
  { key, body = {}, signal }: { readonly key: string; readonly body?: object; readonly signal?: AbortSignal },
): Promise<{ readonly status: number; readonly headers: Headers; readonly text: string }> {
  const reply = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: SANDBOX_MODELS[0]?.id,
      messages: [{ role: 'user', content: 'tell me about ledgers' }],
      max_tokens: 100,
      ...body,
    }),
    ...(signal !== undefined && { signal }),
  })
  return { status: reply.status, headers: reply.headers, text: await reply.text() }
}

import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { spawnTied } from '../support/tied-process.ts'
import type { TiedProcess } from '../support/tied-process.ts'
import type { InstalledEngines } from './install.ts'

/** A running engine on loopback, on a port of its own. Ends with us, however we end. */
export type Engine = AsyncDisposable & {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** The last lines of its log. */
  log(): string
}

/** The name that both engines give their model. */
export const MODEL = 'tiny'
/** Tokens that prompt and reply may have together, in both engines. */
const CONTEXT_TOKENS = 2048

const SLOTS = 4
/** Both are up within a second on an idle machine. */
const START_MS_MAX = 60_000
/** A stream that a client holds open keeps uvicorn waiting for ever. */
const STOP_MS_MAX = 3_000
const LOG_LINES = 40

/** llama.cpp's own server: reports usage in streams, under-reports several choices, counts what it generates in `/metrics`. */
export function startLlamaServer(installed: InstalledEngines): Promise<Engine> {
  const context = ['--ctx-size', String(SLOTS * CONTEXT_TOKENS), '--parallel', String(SLOTS)]
  const metered = ['--metrics', '--embeddings', '--pooling', 'mean']
  const quiet = ['--jinja', '--no-warmup', '--threads', '1']
  const args = ['--model', installed.model, '--alias', MODEL, '--host', '127.0.0.1', '--port', '0', ...context, ...metered, ...quiet]
  return startEngine(spawnTied(installed.llamaServer, args), { says: /listening on (http:\/\/127\.0\.0\.1:\d+)/, healthy: '/health' })
}

/** llama-cpp-python's server: never reports usage in streams, ignores `n`, answers a request id that is no UUID with 400. */
export function startLlamaPython(installed: InstalledEngines): Promise<Engine> {
  const model = ['--model', installed.model, '--model_alias', MODEL, '--n_ctx', String(CONTEXT_TOKENS), '--embedding', 'true']
  const args = ['-m', 'llama_cpp.server', ...model, '--host', '127.0.0.1', '--port', '0', '--n_threads', '1', '--n_threads_batch', '1']
  const env = { LLAMA_CPP_LIB_PATH: installed.libraries }
  return startEngine(spawnTied(installed.python, args, { env }), { says: /running on (http:\/\/127\.0\.0\.1:\d+)/, healthy: '/v1/models' })
}

/** @throws {Error} with the end of its log, when it does not come up */
async function startEngine(child: TiedProcess, { says, healthy }: { says: RegExp; healthy: string }): Promise<Engine> {
  const lines: string[] = []
  const { promise: listening, resolve } = Promise.withResolvers<string | undefined>()
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      if (lines.length > LOG_LINES) lines.shift()
      const url = says.exec(line)?.[1]
      if (url !== undefined) resolve(url)
    })
  }
  child.once('close', () => resolve(undefined))
  const signal = AbortSignal.timeout(START_MS_MAX)
  signal.addEventListener('abort', () => resolve(undefined), { once: true })
  const url = await listening
  const log = (): string => lines.join('\n')
  if (url === undefined || !(await answers(`${url}${healthy}`, signal))) {
    await stop(child)
    throw new Error(`The engine did not come up:\n${log()}`)
  }
  return { url, log, [Symbol.asyncDispose]: () => stop(child) }
}

async function answers(url: string, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    const reply = await fetch(url, { signal }).catch(() => undefined)
    await reply?.arrayBuffer()
    if (reply?.ok === true) return true
    // It listens before its model is loaded, and says so with a 503.
    await delay(10)
  }
  return false
}

async function stop(child: TiedProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'close')
  child.kill()
  const patience = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
  await ended
  clearTimeout(patience)
}

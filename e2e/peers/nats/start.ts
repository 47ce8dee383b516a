import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../support/free-port.ts'
import { spawnTied } from '../support/tied-process.ts'
import type { TiedProcess } from '../support/tied-process.ts'

/** A broker with JetStream on loopback, that can be killed, stopped, emptied and started again. Ends with us, however we end. */
export type Broker = AsyncDisposable & {
  /** The same through all of its lives. */
  readonly url: string
  /** `kill -9`. */
  kill(): Promise<void>
  /** Starts again what was killed, on the same folder or an empty one. */
  start(options?: { readonly empty?: boolean }): Promise<void>
  /** It holds its connections and answers nothing, until `thaw`. */
  freeze(): void
  thaw(): void
  /** The last lines of its log. */
  log(): string
}

export type BrokerOptions = {
  readonly binary: string
  /** Of its own, for its configuration and streams. */
  readonly dir: string
  /** More lines of its configuration. */
  readonly configuration?: string
  /** Bytes that all streams may take. Default: what there is. */
  readonly storageBytes?: number
}

const START_MS_MAX = 20_000
const LOG_LINES = 60

export async function startBroker({ binary, dir, configuration: more = '', storageBytes }: BrokerOptions): Promise<Broker> {
  const port = await freePort()
  let life = 0
  let child: TiedProcess | undefined
  const lines: string[] = []

  async function start({ empty = false }: { readonly empty?: boolean } = {}): Promise<void> {
    if (empty) life += 1
    const configuration = join(dir, 'nats.conf')
    const storage = storageBytes === undefined ? '' : `, max_file_store: ${storageBytes}`
    writeFileSync(
      configuration,
      // Synced before it is acknowledged: what the broker says it has stored survives it.
      `host: 127.0.0.1\nport: ${port}\njetstream { store_dir: "${join(dir, `store-${life}`)}", sync_interval: always${storage} }\n${more}\n`,
    )
    const started = spawnTied(binary, ['-c', configuration])
    child = started
    const ready = Promise.withResolvers<boolean>()
    createInterface({ input: started.stderr }).on('line', (line) => {
      lines.push(line)
      if (lines.length > LOG_LINES) lines.shift()
      if (line.includes('Server is ready')) ready.resolve(true)
    })
    started.stdout.resume()
    started.once('close', () => ready.resolve(false))
    const patience = setTimeout(() => ready.resolve(false), START_MS_MAX)
    const isUp = await ready.promise
    clearTimeout(patience)
    if (!isUp) throw new Error(`The broker did not come up:\n${lines.join('\n')}`)
  }

  async function kill(): Promise<void> {
    const victim = child
    if (victim === undefined || victim.exitCode !== null || victim.signalCode !== null) return
    const ended = once(victim, 'close')
    victim.kill('SIGKILL')
    await ended
  }

  await start()
  return {
    url: `nats://127.0.0.1:${port}`,
    kill,
    start,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    log: () => lines.join('\n'),
    [Symbol.asyncDispose]: kill,
  }
}

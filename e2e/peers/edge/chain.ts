import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { start } from '../../support/process.ts'
import type { Running } from '../../support/process.ts'
import { temporaryDir, up } from '../../support/product.ts'
import type { Product } from '../../support/product.ts'
import { startCatcher } from './catcher.ts'
import type { Catcher } from './catcher.ts'
import type { Proxy, ProxyOptions, StartProxy } from './start.ts'

/** The whole product behind a real proxy that asks `ascribe edge`. */
export type Chain = AsyncDisposable & {
  readonly product: Product
  /** In front of the gateway. */
  readonly proxy: Proxy
  /** In front of a catcher, asking the same edge. */
  readonly open: Proxy
  readonly catcher: Catcher
  /** The key of the demo organization, in a file. */
  readonly keyFile: string
  /** `host:port` of the edge. */
  readonly edge: string
  startProxy(options: Partial<ProxyOptions>): Promise<Proxy>
  /** Ends the edge as an operator would, and starts it again on the same port. */
  stopEdge(): Promise<void>
  startEdge(): Promise<void>
}

/** One host is one model's, another is many's; the gateway takes the resource from the model where the edge names none. */
const CONFIGURATION = `gateway:
  trusted_peers:
    - networks: [127.0.0.1]
      resource: from-model
edge:
  trust_forwarded_from: [127.0.0.1]
  rules:
    - { host: small.example, resource_id: dep-small, resource_type: deployment }
    - { host: many.example, path: /models/large, resource_id: dep-large }
    - host: many.example
    - host: 127.0.0.1
`

export async function startChain(startProxy: StartProxy): Promise<Chain> {
  await using stack = new AsyncDisposableStack()
  const { path: dir } = stack.use(temporaryDir())
  writeFileSync(join(dir, 'ascribe.yaml'), CONFIGURATION)
  const product = stack.use(await up(dir))
  const keyFile = join(dir, 'key.txt')
  writeFileSync(keyFile, `${product.ready.key}\n`)
  let edgeProcess: Running | undefined
  let edge = ''
  const startEdge = async (): Promise<void> => {
    edgeProcess = start(['edge', '--json', '--data', dir, '--metrics-port', '0', '--port', edge === '' ? '0' : (edge.split(':')[1] ?? '')])
    const line = await edgeProcess.firstLine
    if (line === undefined) throw new Error(`ascribe edge did not come up:\n${(await edgeProcess.ended).stderr}`)
    edge = new URL((JSON.parse(line) as { edge: string }).edge).host
  }
  const stopEdge = async (): Promise<void> => {
    await edgeProcess?.[Symbol.asyncDispose]()
  }
  stack.defer(stopEdge)
  await startEdge()
  const catcher = stack.use(await startCatcher())
  let count = 0
  const launch = async (options: Partial<ProxyOptions>): Promise<Proxy> => {
    count += 1
    return startProxy({ dir: join(dir, `proxy-${count}`), edge, gateway: new URL(product.ready.gateway).host, ...options })
  }
  const proxy = stack.use(await launch({}))
  const open = stack.use(await launch({ gateway: catcher.address }))
  const owned = stack.move()
  return {
    product,
    proxy,
    open,
    catcher,
    keyFile,
    edge,
    startProxy: launch,
    stopEdge,
    startEdge,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

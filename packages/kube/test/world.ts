import { setTimeout as delay } from 'node:timers/promises'
import { startSandboxKube } from '@ascribe/sandbox/kube'
import type { SandboxKube, SandboxKubeOptions } from '@ascribe/sandbox/kube'
import { createKubeClient, createKubeConnection, systemClocks } from '../src/index.ts'
import type { Clocks, KubeClient, KubeConnection } from '../src/index.ts'

/** The machine's clocks, so many times faster: what waits for seconds waits for milliseconds. */
export function fastClocks(factor: number): Clocks {
  return {
    monotonic: () => systemClocks.monotonic() * factor,
    wall: systemClocks.wall,
    timer: (ms, callback) => systemClocks.timer(ms / factor, callback),
  }
}

export type KubeWorld = { readonly kube: SandboxKube; readonly connection: KubeConnection; readonly client: KubeClient } & AsyncDisposable

export async function startWorld(options: SandboxKubeOptions & { readonly clocks?: Clocks } = {}): Promise<KubeWorld> {
  const kube = await startSandboxKube({ namespaces: ['a', 'b'], ...options })
  const connection = await createKubeConnection({
    kubeconfig: kube.kubeconfig,
    ...(options.clocks !== undefined && { clocks: options.clocks }),
  })
  return {
    kube,
    connection,
    client: createKubeClient(connection),
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]()
      await kube[Symbol.asyncDispose]()
    },
  }
}

/** Waits until it is so. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const end = Date.now() + 20_000
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`)
    await delay(2)
  }
}

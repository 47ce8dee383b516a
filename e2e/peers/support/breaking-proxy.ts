import { createServer, connect } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

/** A TCP proxy that breaks what passes through it. */
export type BreakingProxy = AsyncDisposable & {
  readonly port: number
  /** Connections that are open now: reset, cut in the middle of what comes next, or held without a word. */
  breakAll(how: 'reset' | 'cut' | 'hold'): number
  /** New connections are refused, or not. */
  refuse(isRefused: boolean): void
}

type Pair = { readonly near: Socket; readonly far: Socket; cutAfter: number | undefined }

export async function startBreakingProxy(target: { readonly host: string; readonly port: number }): Promise<BreakingProxy> {
  const pairs = new Set<Pair>()
  let isRefused = false
  const server: Server = createServer((near) => {
    near.on('error', () => {})
    if (isRefused) return void near.destroy()
    const far = connect(target)
    const pair: Pair = { near, far, cutAfter: undefined }
    pairs.add(pair)
    far.on('error', () => near.destroy())
    far.on('data', (chunk: Buffer) => {
      if (pair.cutAfter === undefined) return void near.write(chunk)
      // Some of it arrives: TLS then ends in the middle of a record, as on a network that broke.
      near.write(chunk.subarray(0, pair.cutAfter))
      near.destroy()
      far.destroy()
    })
    near.on('data', (chunk: Buffer) => void far.write(chunk))
    const end = (): void => {
      pairs.delete(pair)
      near.destroy()
      far.destroy()
    }
    near.on('close', end)
    far.on('close', end)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    breakAll(how) {
      const count = pairs.size
      for (const pair of pairs) {
        if (how === 'reset') pair.near.resetAndDestroy()
        else if (how === 'cut') pair.cutAfter = 20
        else pair.far.pause()
      }
      return count
    },
    refuse: (value) => void (isRefused = value),
    async [Symbol.asyncDispose]() {
      for (const { near, far } of pairs) {
        near.destroy()
        far.destroy()
      }
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

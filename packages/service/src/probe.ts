import { connect } from 'node:net'

/** Whether somebody takes a TCP connection at `address` within `timeoutMs`: `undefined`, or why not. Nothing is sent. */
export function connectionFault(address: { readonly host: string; readonly port: number }, timeoutMs: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const socket = connect(address)
  socket.setTimeout(timeoutMs, () => resolve(`no answer within ${timeoutMs} ms`))
  socket.once('connect', () => resolve(undefined))
  socket.once('error', (error) => resolve(error.message))
  return promise.finally(() => socket.destroy())
}

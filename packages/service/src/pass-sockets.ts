import { fstatSync } from 'node:fs'
import { Socket } from 'node:net'
import type { SocketConstructorOpts } from 'node:net'

// Sends the listening sockets that this process has inherited, from descriptor 4 on, through its channel, one after the other, and ends. Its
// channel is whatever NODE_CHANNEL_FD says: also a connection to a process that did not start it. See handover.ts.

// Nobody listens to the channel here, and it has to tell when a handle has arrived.
process.channel?.ref()
for (let fd = 4; isSocket(fd); fd += 1) await pass(fd)
process.disconnect?.()

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket()
  } catch {
    return false
  }
}

/** As a bare handle: a server would begin to accept, here and there. */
async function pass(fd: number): Promise<void> {
  // Neither read from nor over: the one would fail, the other would close it.
  const socket = new Socket({ fd, manualStart: true } as SocketConstructorOpts)
  const { _handle: handle } = socket as unknown as { readonly _handle: Socket }
  await new Promise<void>((resolve, reject) => {
    process.send?.({ fd }, handle, { keepOpen: true }, (error) => (error === null ? resolve() : reject(error)))
  })
}

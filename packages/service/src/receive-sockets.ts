import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

// Receives listening sockets from its channel, which is a connection to the process that has them, and hands them on to the process that
// started this one, whose channel is descriptor 4. See handover.ts.

const WAY_BACK = 4
const PASS = fileURLToPath(new URL('./pass-sockets.ts', import.meta.url))

const handles: { readonly fd: number }[] = []
process.on('message', (_message, handle) => void (handle !== undefined && handles.push(handle as unknown as { readonly fd: number })))
await once(process, 'disconnect')
const passing = spawn(process.execPath, [PASS], {
  stdio: ['ignore', 'ignore', 'inherit', WAY_BACK, ...handles.map(({ fd }) => fd)],
  env: { NODE_CHANNEL_FD: '3' },
})
const [code] = (await once(passing, 'exit')) as [number | null]
process.exitCode = handles.length > 0 && code === 0 ? 0 : 1

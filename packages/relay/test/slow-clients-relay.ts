import { silentLogger, silentMeters } from '@ascribe/kit'
import { createRelay } from '../src/index.ts'
import { textReply } from './support.ts'

// A relay in a process of its own, whose memory is nobody else's. Tells its port, and its memory when it is asked.

const relay = await createRelay({
  host: '127.0.0.1',
  port: 0,
  logger: silentLogger,
  meters: silentMeters,
  // Nobody is turned away while the test lasts: that would look like thrift.
  headTimeoutMs: 600_000,
  bodyGraceMs: 600_000,
  refuse: (refusal) => textReply(503, refusal),
  onRequest: () => ({ kind: 'read', bodyBytesMax: 1_048_576, decide: () => ({ kind: 'reply', reply: textReply(200, 'ok') }) }),
})
process.on('message', () => {
  globalThis.gc?.()
  process.send?.(process.memoryUsage.rss())
})
process.on('disconnect', () => void relay.close({ graceMs: 0 }))
process.send?.(Number(new URL(relay.url).port))

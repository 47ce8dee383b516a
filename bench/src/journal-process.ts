import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { silentLogger, systemClock } from '@ascribe/kit'
import { openJournalWriter } from '@ascribe/journal'
import { tryLock } from '@ascribe/service'
import { createIdSource } from '@ascribe/units'

// The journal by itself: an intent, then its settlement when the intent is in the kernel; durable. `journal-process.ts FOLDER
// SECONDS CONCURRENCY`

const PAYLOAD_BYTES = 600

const [folder = '', seconds = '1', concurrency = '64'] = process.argv.slice(2)
const newId = createIdSource(systemClock)
const INTENT = {
  startedAt: systemClock(),
  requestId: newId(),
  authId: 'key_01JB2M6R7W9F',
  userId: 'user-2207',
  groupId: 'group-31',
  identifiedBy: 'headers',
  resourceId: 'deployment-4711',
  route: 'default',
  api: 'chat',
  modelAsked: 'bench-model',
  streamed: true,
}
const SETTLEMENT = {
  ...INTENT,
  endedAt: systemClock(),
  outcome: 'completed',
  provenance: 'reported',
  status: 200,
  model: 'bench-model',
  promptTokens: 57,
  cachedTokens: 16,
  completionTokens: 231,
  meters: { input_tokens: 41, cached_input_tokens: 16, output_tokens: 231 },
}

const intentText = JSON.stringify(INTENT)
// The settlement with its filler has the size that records have in the field.
const settlementText = padded(JSON.stringify(SETTLEMENT))

function padded(json: string): string {
  return `${json.slice(0, -1)},"headers":{"x":"${'y'.repeat(Math.max(0, PAYLOAD_BYTES - json.length - 19))}"}}`
}

const root = mkdtempSync(join(folder, 'journal-'))
try {
  await using writer = await openJournalWriter({ root, tryLock, clock: systemClock, logger: silentLogger })
  let settled = 0
  const work = async (end: number): Promise<void> => {
    while (performance.now() < end) {
      const id = newId()
      const intent = writer.admit(id, intentText)
      await intent.written
      await intent.settle(settlementText)
      settled += 1
    }
  }
  const flatOut = async (forSeconds: number): Promise<number> => {
    settled = 0
    const start = performance.now()
    await Promise.all(Array.from({ length: Number(concurrency) }, () => work(start + forSeconds * 1000)))
    return (performance.now() - start) / 1000
  }
  await flatOut(0.5)
  const cpu = process.cpuUsage()
  const before = writer.stats
  const took = await flatOut(Number(seconds))
  const used = process.cpuUsage(cpu)
  console.log(
    JSON.stringify({
      recordsPerSecond: (2 * settled) / took,
      cpuUs: (used.user + used.system) / (2 * settled),
      commitsPerSecond: (writer.stats.commits - before.commits) / took,
      payloadBytes: [intentText.length, settlementText.length],
    }),
  )
} finally {
  rmSync(root, { recursive: true, force: true })
}

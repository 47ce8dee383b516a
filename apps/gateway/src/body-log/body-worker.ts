import { parentPort, workerData } from 'node:worker_threads'
import { appendLine, removeOld } from './files.ts'
import { createKeeper } from './keep.ts'
import { sealLine } from './sealed-lines.ts'
import type { BodyWorkerData, BodyWorkerReply, RawEntry } from './types.ts'

// The thread that redacts, seals and writes bodies: the one that serves only hands them over.

const CLEANING_MS = 600_000

const { dir, writer, serverSecret, settings } = workerData as BodyWorkerData
const keep = createKeeper(settings)
const secret = serverSecret.map((each) => Buffer.from(each))
const say = (reply: BodyWorkerReply): void => parentPort?.postMessage(reply)

function clean(): void {
  try {
    removeOld(dir, { now: Date.now(), ...settings })
  } catch (error) {
    say({ kind: 'trouble', message: String(error) })
  }
}

clean()
setInterval(clean, CLEANING_MS).unref()
let written = 0

parentPort?.on('message', (raw: RawEntry | 'end') => {
  if (raw === 'end') {
    parentPort?.close()
    return
  }
  try {
    const line = sealLine(secret, keep(raw))
    appendLine(dir, { at: raw.at, writer, line })
    written += line.length
    say({ kind: 'kept' })
    // A tenth of what there may be has come: time to look.
    if (written > settings.diskBytesMax / 10) {
      written = 0
      clean()
    }
  } catch (error) {
    say({ kind: 'failed', message: String(error) })
  }
})

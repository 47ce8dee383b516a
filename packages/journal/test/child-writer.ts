import { writeSync } from 'node:fs'
import { errorCode, silentLogger, systemClock } from '@ascribe/kit'
import { openJournalWriter } from '../src/index.ts'
import { nextId, tryLock } from './kit.ts'

// Writes as fast as it can until it is killed, or until the disk is full if so asked, and says on stdout what was
// acknowledged: one line each, in one write, so that whatever the parent read did happen.

const [root = '', mode = 'kill', segmentBytes = '65536'] = process.argv.slice(2)
const writer = await openJournalWriter({
  root,
  tryLock,
  clock: systemClock,
  logger: silentLogger,
  segmentBytes: Number(segmentBytes),
  intentBytesMax: 2000,
  settlementBytesMax: 500,
  retryMs: 5,
})
const say = (line: string): void => void writeSync(1, `${line}\n`)
say(`ready ${writer.dir}`)

async function request(): Promise<void> {
  const id = nextId()
  await writer.intend(id, `intent of ${id}`)
  say(`i ${id}`)
  await writer.settle(id, `settlement of ${id} ${'x'.repeat(Math.floor(Math.random() * 400))}`)
  say(`s ${id}`)
}

async function fill(): Promise<void> {
  const open: string[] = []
  let code: string | undefined
  while (code === undefined) {
    const id = nextId()
    try {
      await writer.intend(id, 'x'.repeat(1000))
      open.push(id)
      say(`i ${id}`)
    } catch (cause) {
      code = errorCode(cause) ?? 'none'
    }
  }
  say(`refused ${String(code)}`)
  await Promise.all(open.map((id) => writer.settle(id, 'y'.repeat(1500)).then(() => say(`s ${id}`))))
  say(`state ${writer.state}`)
}

if (mode === 'fill') {
  await fill()
  process.stdin.once('data', () => {
    // The parent has made space: an intent is admitted again before long.
    const again = async (): Promise<void> => {
      for (;;) {
        try {
          await request()
          break
        } catch {
          await new Promise((resolve) => setImmediate(resolve))
        }
      }
      await writer.close()
      say('done')
      process.stdin.destroy()
    }
    void again()
  })
} else {
  for (let index = 0; index < 24; index += 1) {
    void (async () => {
      for (;;) await request()
    })()
  }
}

// A process that uses an embedded server: `user-program DATA_DIR [PACKAGE]`. Says how it found the server, then answers words on stdin.
import { createInterface } from 'node:readline'
import { InputError } from '@ascribe/kit'
import { startEmbedded } from '../src/embedded/embedded.ts'
import { testTryLock } from '../src/testing/lock.ts'

const [, , dataDir = '', nativePackage = ''] = process.argv
const say = (text: string): boolean => process.stdout.write(`${text}\n`)
const embedded = await startEmbedded({
  dataDir,
  tryLock: testTryLock,
  settings: { fsync: 'off' },
  ...(nativePackage === '' ? {} : { nativePackage }),
})
say(embedded.started)

for await (const word of createInterface({ input: process.stdin })) {
  switch (word) {
    case 'release':
      say(await embedded.release())
      break
    case 'ensure':
      say(await embedded.ensureRunning())
      break
    case 'pid':
      say(String(await embedded.pid()))
      break
    default:
      throw new InputError(`Cannot answer ${word}`)
  }
}

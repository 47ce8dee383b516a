// Tries to take the lock named by its argument when told to on stdin, says what came of it, and holds on until stdin ends.
import { tryLock } from '../src/file-lock.ts'

process.stdout.write('ready\n')
let lock: Disposable | undefined
for await (const chunk of process.stdin) {
  if (!String(chunk).includes('go')) continue
  lock = tryLock(process.argv[2] ?? '')
  process.stdout.write(lock === undefined ? 'refused\n' : 'won\n')
}
lock?.[Symbol.dispose]()

// A process that appends to the trail as fast as it can and prints the hash of every line that it was told is durable, until it is killed.
import { openDatabase } from '@ascribe/postgres'
import { OTHER, openTrail, viewed } from './audit-support.ts'

const db = openDatabase({ url: process.argv[2] ?? '', max: 2 })
const trail = openTrail(db)
async function user(name: string): Promise<never> {
  for (let n = 0; ; n += 1) {
    const receipts = await trail.append([viewed({ requestId: `${name}-${n}` }), viewed({ chain: OTHER, requestId: `${name}-${n}` })])
    process.stdout.write(receipts.map(({ chain, sequence, hash }) => `${chain} ${sequence} ${hash}\n`).join(''))
  }
}
await Promise.all(Array.from({ length: 8 }, (_, n) => user(`user-${n}`)))

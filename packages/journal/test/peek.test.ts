import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mayHaveMore, readJournal } from '../src/index.ts'
import type { Position } from '../src/index.ts'
import { nextId, openWriter, temporaryRoot } from './kit.ts'

async function readOn(dir: string, from: Position | undefined): Promise<{ readonly entries: number; readonly next: Position | undefined }> {
  let [entries, next] = [0, from]
  for await (const batch of readJournal(dir, from)) {
    entries += batch.entries.length
    next = batch.next
  }
  return { entries, next }
}

test('mayHaveMore() never says no while the reader has more to give, across segments', async () => {
  await using root = await temporaryRoot()
  await using writer = await openWriter(root.root, { segmentBytes: 32 * 1024, intentBytesMax: 2048, settlementBytesMax: 1024 })
  let position: Position | undefined
  for (let round = 0; round < 60; round += 1) {
    const id = nextId()
    await writer.intend(id, 'x'.repeat(900))
    if (position !== undefined) assert.ok(await mayHaveMore(writer.dir, position), `round ${round}`)
    await writer.settle(id, 'y'.repeat(900))
    const read = await readOn(writer.dir, position)
    assert.equal(read.entries, 2, `round ${round}`)
    position = read.next
    assert.ok(position !== undefined)
    // A segment that has just been sealed may still have its seal to be read; otherwise there is nothing.
    const again = await readOn(writer.dir, position)
    assert.equal(again.entries, 0)
    if (!(await mayHaveMore(writer.dir, again.next ?? position))) continue
    assert.ok(again.next !== undefined && again.next.segment >= position.segment)
  }
})

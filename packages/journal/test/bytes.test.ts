import assert from 'node:assert/strict'
import { cp, mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { JournalCorruptError, recoverWriter, verifyJournal } from '../src/index.ts'
import { contentOf, nextId, openWriter, readAll, recovery, temporaryRoot } from './kit.ts'

// A journal of two small segments, the second unsealed, as a kill leaves it. Bytes are changed in memory and written over.
const SMALL = { segmentBytes: 1400, intentBytesMax: 120, settlementBytesMax: 60 } as const

type Sample = { readonly dir: string; readonly content: string[]; readonly files: ReadonlyMap<string, Buffer>; readonly active: string }

async function sample(data: string): Promise<Sample> {
  const writer = await openWriter(join(data, 'live'), { ...SMALL, writer: 'w', commitIntervalMs: 0 })
  for (let index = 0; index < 9; index += 1) {
    const id = nextId()
    await writer.intend(id, `{"n":${index}}`)
    await writer.settle(id, `{"n":${index},"text":"grüße ${'x'.repeat(index)}"}`)
  }
  await writer.intend(nextId(), '{"open":true}')
  const dir = join(data, 'sample', 'w')
  await mkdir(dir, { recursive: true })
  await cp(writer.dir, dir, { recursive: true, filter: (path) => !path.endsWith('.tmp') })
  const content = contentOf(await readAll(dir))
  assert.equal(writer.stats.segment, 2, 'the second segment is the active one')
  await writer.close()
  const names = (await readdir(dir)).filter((name) => name.endsWith('.seg')).sort()
  const files = new Map<string, Buffer>()
  for (const name of names) files.set(name, await readFile(join(dir, name)))
  const active = names[1]
  assert.ok(active && content.length === 19)
  return { dir, content, files, active }
}

const isPrefix = (part: readonly string[], whole: readonly string[]): boolean => part.every((each, index) => each === whole[index])

/** What a reader gets before it meets the end or damage. */
async function readable(dir: string): Promise<{ content: string[]; corrupt: boolean }> {
  const content: string[] = []
  try {
    const { readJournal } = await import('../src/index.ts')
    for await (const batch of readJournal(dir)) content.push(...contentOf(batch.entries))
    return { content, corrupt: false }
  } catch (cause) {
    assert.ok(cause instanceof JournalCorruptError, String(cause))
    return { content, corrupt: true }
  }
}

test('readJournal() yields a prefix wherever the last segment is cut, and recovery keeps it (I4)', async () => {
  await using place = await temporaryRoot('memory')
  const { dir, content, files, active } = await sample(place.data)
  const bytes = files.get(active) ?? Buffer.alloc(0)
  const used = bytes.length - [...bytes].reverse().findIndex((byte) => byte !== 0)
  let longest = 0
  // Every byte is tried on buffers in scan.test.ts; here, on files, a prime step meets every kind of place.
  for (const cut of [...Array.from({ length: Math.ceil((used - 256) / 7) }, (_, index) => 256 + index * 7), used]) {
    // Odd: the file ends there; even: zeros to the end, as in a preallocated segment.
    if (cut % 2 === 1) {
      await writeFile(join(dir, active), bytes)
      await truncate(join(dir, active), cut)
    } else await writeFile(join(dir, active), Buffer.concat([bytes.subarray(0, cut), Buffer.alloc(bytes.length - cut)]))
    const read = await readable(dir)
    assert.equal(read.corrupt, false, `cut at ${cut} is a torn tail`)
    assert.ok(isPrefix(read.content, content) && read.content.length >= longest)
    longest = read.content.length
    const report = await verifyJournal(dir)
    assert.deepEqual([report.ok, report.intents + report.settlements], [true, longest])
    if (cut % 4 !== 0) continue
    const copy = join(place.data, `cut${cut}`, 'w')
    await cp(dir, copy, { recursive: true })
    const recovered = await recoverWriter(copy, recovery)
    assert.equal(recovered.tornBytes, report.tornBytes)
    assert.deepEqual((await readable(copy)).content.slice(0, longest), read.content)
  }
  assert.equal(longest, content.length)
})

test('readJournal() never yields a wrong payload after one byte was changed, and the change is reported (I4)', async () => {
  await using place = await temporaryRoot('memory')
  const { dir, content, files, active } = await sample(place.data)
  for (const [name, bytes] of files) {
    for (let at = 0; at < bytes.length; at += 11) {
      // A prepared segment is nothing but its header; a byte that is not zero in the rest is nobody's.
      if (name > active && at >= 256) break
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(at) ^ (1 + (at % 255)), at)
      await writeFile(join(dir, name), changed)
      const read = await readable(dir)
      assert.ok(isPrefix(read.content, content), `${name} at ${at}`)
      const report = await verifyJournal(dir)
      assert.ok(report.corrupt + report.tornBytes > 0, `${name} at ${at} is reported`)
    }
    await writeFile(join(dir, name), bytes)
  }
})

test('recoverWriter() after any damage loses only damaged frames, leaves nothing open and reads to the end (I4, I11)', async () => {
  await using place = await temporaryRoot('memory')
  const { dir, content, files } = await sample(place.data)
  const names = [...files.keys()].slice(0, 2)
  const damage = fc.record({ file: fc.nat({ max: 1 }), at: fc.nat({ max: 1399 }), bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }) })
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (damages) => {
      run += 1
      const copy = join(place.data, `damage${run}`, 'w')
      await cp(dir, copy, { recursive: true })
      for (const { file, at, bytes } of damages) {
        const name = names[file] ?? ''
        const changed = await readFile(join(copy, name))
        changed.set(bytes.subarray(0, Math.max(0, changed.length - at)), Math.min(at, changed.length))
        await writeFile(join(copy, name), changed)
      }
      await recoverWriter(copy, recovery)
      const after = await readable(copy)
      assert.equal(after.corrupt, false)
      const kept = after.content.filter((each) => !each.includes('"outcome":"unknown"'))
      assert.deepEqual(
        kept,
        content.filter((each) => kept.includes(each)),
        'kept ones are true and in order',
      )
      const report = await verifyJournal(copy)
      assert.deepEqual([report.open, report.duplicates], [0, 0])
      const again = await recoverWriter(copy, recovery)
      assert.deepEqual([again.closed, again.corrupt, again.tornBytes], [0, [], 0])
      assert.deepEqual((await readable(copy)).content, after.content)
    }),
    { numRuns: 40 },
  )
})

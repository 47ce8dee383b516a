import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readList } from './pages.ts'
import type { Transport } from './transport.ts'

/** Places from 0 to 1. Most edits do both, so that the total does not tell. */
type Edit = { readonly deleteAt: number | null; readonly insertAt: number | null }
type Item = { readonly uuid: string }

/** A list that changes before each request, as other programs change an account. Remembers what was there all the time. */
function movingList(
  count: number,
  edits: readonly (readonly Edit[])[],
  clamp: number,
): { transport: Transport; lasting: Set<string>; ever: Set<string> } {
  const items: Item[] = Array.from({ length: count }, (_, index) => ({ uuid: `i${index}` }))
  const lasting = new Set(items.map(({ uuid }) => uuid))
  const ever = new Set(lasting)
  let requests = 0
  let made = 0
  const change = ({ deleteAt, insertAt }: Edit): void => {
    if (deleteAt !== null) for (const { uuid } of items.splice(Math.floor(deleteAt * items.length), 1)) lasting.delete(uuid)
    if (insertAt === null) return
    const uuid = `n${made++}`
    ever.add(uuid)
    items.splice(Math.floor(insertAt * items.length), 0, { uuid })
  }
  const transport: Transport = {
    region: 'zrh',
    async send({ query = {} }) {
      for (const edit of edits[requests] ?? []) change(edit)
      requests += 1
      const [limit, offset] = [Number(query['limit']), Number(query['offset'])]
      const objects = limit === 0 ? items.slice(offset) : items.slice(offset, offset + Math.min(limit, clamp))
      return { status: 200, requestId: undefined, body: { meta: { total_count: items.length }, objects } }
    },
    malformed: (_, __, why) => {
      throw new Error(why)
    },
  }
  return { transport, lasting, ever }
}

const keyOf = (item: unknown): string => (item as Item).uuid
const place = fc.option(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), { freq: 5 })
const edit: fc.Arbitrary<Edit> = fc.record({ deleteAt: place, insertAt: place })
const edits = fc.array(fc.array(edit, { maxLength: 3 }), { maxLength: 12 })

test('R-13: readList() gives what was there all the time, each once, and nothing that never was, however the list changes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 350 }),
      edits,
      fc.constantFrom(7, 20, 100),
      fc.boolean(),
      async (count, changes, clamp, whole) => {
        const { transport, lasting, ever } = movingList(count, changes, clamp)
        const found = await readList(transport, { operation: 'x', path: ['x'], keyOf, parse: keyOf }, { whole })
        assert.equal(new Set(found).size, found.length, 'one came twice')
        assert.ok(lasting.isSubsetOf(new Set(found)), 'one was missed')
        assert.ok(new Set(found).isSubsetOf(ever))
      },
    ),
    { numRuns: 300 },
  )
})

test('R-12: readList() takes a whole list in one request', async () => {
  const { transport } = movingList(250, [], 100)
  const limits: unknown[] = []
  const watching: Transport = { ...transport, send: (call) => (limits.push(call.query?.['limit']), transport.send(call)) }
  assert.equal((await readList(watching, { operation: 'x', path: ['x'], keyOf, parse: keyOf }, { whole: true })).length, 250)
  assert.deepEqual(limits, [0])
})

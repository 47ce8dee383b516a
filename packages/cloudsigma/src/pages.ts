import { fieldOf, listOf, numberOf } from './json.ts'
import type { Answer, Call, CallOptions, Transport } from './transport.ts'

/** What one call asks for; the default of the API, 20, is never relied on. */
const PAGE_SIZE = 100
/** A list that changes under every walk is then taken in one answer. */
const WALKS_MAX = 3
/** No account has so many; a list that grows while it is walked must end somewhere. */
const OBJECTS_MAX = 200_000

export type ListCall<Item> = {
  readonly operation: string
  readonly path: readonly string[]
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly hasMoney?: boolean
  /** What makes an item itself, to see shifts; `undefined` for what is no item of this list. */
  readonly keyOf: (item: unknown) => string | undefined
  readonly parse: (item: unknown) => Item
}

/** How a list is read. */
export type ListOptions = CallOptions & {
  /**
   * Take all of it in one answer (`limit=0`): what was there all the time is in it, also when items change places meanwhile. For questions
   * on whose answer something is made. Large accounts have some tens of MiB. Default: page by page.
   */
  readonly whole?: boolean
}

/**
 * All items of a list. Pages overlap by one item, and when the overlap, a repeated item or the total says that the list moved, the walk
 * begins again; after three walks the whole list is taken in one answer. Whatever was there from the beginning to the end is in the result
 * once, however much was made and deleted meanwhile.
 */
export async function readList<Item>(transport: Transport, list: ListCall<Item>, options: ListOptions = {}): Promise<readonly Item[]> {
  for (let walk = options.whole === true ? WALKS_MAX : 0; walk < WALKS_MAX; walk += 1) {
    const items = await walkOnce(transport, list, options)
    if (items !== undefined) return items.map(list.parse)
  }
  const { items, total, answer } = await readPage(transport, list, { limit: 0, offset: 0, options })
  if (items.length !== total) throw transport.malformed(list, answer, `it holds ${items.length} of ${total} objects`)
  return items.map(list.parse)
}

/** One walk over the pages; `undefined` if the list moved meanwhile. */
async function walkOnce<Item>(transport: Transport, list: ListCall<Item>, options: CallOptions): Promise<readonly unknown[] | undefined> {
  const found: unknown[] = []
  const keys = new Set<string>()
  let last: string | undefined
  let total: number | undefined
  for (;;) {
    const isFirst = found.length === 0
    const page = await readPage(transport, list, { limit: PAGE_SIZE, offset: isFirst ? 0 : found.length - 1, options })
    if (page.total > OBJECTS_MAX) throw transport.malformed(list, page.answer, `it says that there are ${page.total} objects`)
    total ??= page.total
    if (page.total !== total) return undefined
    const items = isFirst ? page.items : page.items.slice(1)
    if (!isFirst && (page.items.length === 0 || list.keyOf(page.items[0]) !== last)) return undefined
    for (const item of items) {
      last = list.keyOf(item)
      if (last === undefined) throw transport.malformed(list, page.answer, 'one of its objects has no id')
      if (keys.has(last)) return undefined
      keys.add(last)
    }
    // Not spread: a server that gives more than was asked for must not overflow the stack.
    for (const item of items) found.push(item)
    if (found.length === page.total) return found
    // Fewer than the total and nothing new: it shrank. More than the total: likewise.
    if (items.length === 0 || found.length > page.total) return undefined
  }
}

type Page = { readonly items: readonly unknown[]; readonly total: number; readonly answer: Answer }
type PagePlace = { readonly limit: number; readonly offset: number; readonly options: CallOptions }

async function readPage<Item>(transport: Transport, list: ListCall<Item>, { limit, offset, options }: PagePlace): Promise<Page> {
  const call: Call = {
    operation: list.operation,
    method: 'GET',
    path: list.path,
    query: { ...list.query, limit, offset },
    isIdempotent: true,
    ...(list.hasMoney === true && { hasMoney: true }),
  }
  const answer = await transport.send(call, options)
  const total = numberOf(fieldOf(answer.body, 'meta'), 'total_count')
  if (total === undefined || !Number.isSafeInteger(total) || total < 0) throw transport.malformed(list, answer, 'it has no total_count')
  return { items: listOf(answer.body, 'objects'), total, answer }
}

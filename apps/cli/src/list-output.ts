import { alignedLines } from './output.ts'
import type { Column, Output } from './output.ts'

/** How the things of a list are shown. */
export type ListShape<Item> = {
  readonly columns: readonly Column[]
  readonly row: (item: Item) => readonly string[]
  readonly json: (item: Item) => unknown
}

/** Rows that are aligned with each other, and pieces of JSON that are written at once: all that is held in memory. */
const PAGE = 1000

/** Prints a list of any length in little memory: one JSON array on one line, or a table whose columns are aligned a page at a time. */
export async function writeList<Item>(out: Output, items: AsyncIterable<Item> | Iterable<Item>, shape: ListShape<Item>): Promise<void> {
  let page: Item[] = []
  let isFirst = true

  async function writePage(): Promise<void> {
    if (out.json) {
      const text = page.map((item) => JSON.stringify(shape.json(item))).join(',')
      await out.write(`${isFirst ? '[' : text === '' ? '' : ','}${text}`)
    } else {
      const lines = alignedLines(shape.columns, page.map(shape.row), out.style)
      await out.write(
        lines
          .slice(isFirst ? 0 : 1)
          .map((line) => `${line}\n`)
          .join(''),
      )
    }
    isFirst = false
    page = []
  }

  for await (const item of items) {
    page.push(item)
    if (page.length === PAGE) await writePage()
  }
  if (page.length > 0 || isFirst) await writePage()
  if (out.json) await out.write(']\n')
}

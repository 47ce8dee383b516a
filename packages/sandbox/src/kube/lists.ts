import { randomUUID } from 'node:crypto'
import type { JsonObject } from './json.ts'
import { expired } from './refusal.ts'

export type Page = {
  readonly items: readonly JsonObject[]
  readonly revision: number
  readonly token: string | undefined
  readonly remaining: number
}

type Snapshot = { readonly items: readonly JsonObject[]; readonly revision: number }

/** Lists that are being paged through; older ones expire. */
const SNAPSHOTS_MAX = 100

/** Pages of one instant. */
export type Lists = {
  page(wish: { readonly token: string | null; readonly limit: number; readonly take: () => Snapshot }): Page
  expire(): void
}

export function createLists(): Lists {
  const snapshots = new Map<string, Snapshot & { readonly start: number }>()
  return {
    page({ token, limit, take }) {
      const known = token === null || token === '' ? { ...take(), start: 0 } : snapshots.get(token)
      if (known === undefined) throw expired()
      const end = limit > 0 ? known.start + limit : known.items.length
      const remaining = Math.max(0, known.items.length - end)
      if (remaining === 0) return { items: known.items.slice(known.start), revision: known.revision, token: undefined, remaining }
      const next = randomUUID()
      snapshots.set(next, { ...known, start: end })
      const oldest = snapshots.size > SNAPSHOTS_MAX ? snapshots.keys().next().value : undefined
      if (oldest !== undefined) snapshots.delete(oldest)
      return { items: known.items.slice(known.start, end), revision: known.revision, token: next, remaining }
    },
    expire: () => snapshots.clear(),
  }
}

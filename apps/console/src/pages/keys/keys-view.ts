import type { ApiKeyJson } from '@ascribe/contract/reads'
import type { Sort } from '../../ui/table-rows.ts'

export type KeyFilter = 'active' | 'revoked' | 'all'

/** What people call a key: its name, else how it begins. */
export function keyName({ name, publicId }: Pick<ApiKeyJson, 'name' | 'publicId'>): string {
  return name ?? publicId
}

/** The keys that a list shows. Expired ones are no longer active, and stand with the revoked. */
export function selectKeys(
  keys: readonly ApiKeyJson[],
  { filter, search }: { readonly filter: KeyFilter; readonly search: string },
): readonly ApiKeyJson[] {
  const words = search.trim().toLowerCase()
  return keys.filter((key) => {
    if (filter === 'active' ? key.state !== 'active' : filter === 'revoked' && key.state === 'active') return false
    const texts = [key.name, key.id, key.publicId, key.user, key.group]
    return words === '' || texts.some((text) => text?.toLowerCase().includes(words) === true)
  })
}

/** In the order of a column. `spend` gives nano-units; a key without any is last either way round it is sorted by them. */
export function sortKeys(keys: readonly ApiKeyJson[], sort: Sort, spend: (id: string) => bigint): readonly ApiKeyJson[] {
  const sign = sort.direction === 'ascending' ? 1 : -1
  const compare = (a: ApiKeyJson, b: ApiKeyJson): number => {
    switch (sort.column) {
      case 'spend': {
        const [one, two] = [spend(a.id), spend(b.id)]
        return one < two ? -1 : one > two ? 1 : 0
      }
      case 'used':
        return (a.lastUsedAt ?? '').localeCompare(b.lastUsedAt ?? '')
      case 'created':
        return a.createdAt.localeCompare(b.createdAt)
      default:
        return keyName(a).localeCompare(keyName(b))
    }
  }
  return keys.toSorted((a, b) => sign * compare(a, b) || a.id.localeCompare(b.id))
}

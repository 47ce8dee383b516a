import type { PageAddress } from '../paths.ts'

/** Keys by dimension, as Overview filters by them. */
export type OverviewKeys = {
  readonly model?: string
  readonly apiKey?: string
  readonly meter?: string
  readonly region?: string
  readonly resource?: string
}

/** Overview with a range, and only with what is named. */
export function overviewAddress({ from, to, by, keys = {} }: { from: string; to: string; by?: string; keys?: OverviewKeys }): PageAddress {
  const filters = Object.entries(keys)
    .filter(([, key]) => key !== undefined)
    .map(([dimension, key]) => `${dimension}:${printKey(key)}`)
  return {
    page: 'overview',
    search: { from, to, ...(by !== undefined && { by }), ...(filters.length > 0 && { f: filters.join(',') }) },
  }
}

// As the Overview's own URL has them (overview/url-state.ts).
function printKey(key: string): string {
  return key === '' ? '~' : encodeURIComponent(key).replaceAll('~', '%7E')
}

import type { ConsoleConfig } from './config.ts'
import { pageOf } from './routes.ts'
import type { PageId } from './routes.ts'
import { formatSearch } from './search-params.ts'
import type { RawSearch } from './search-params.ts'

/** Where a page is: its placeholders, and the state that its address says. */
export type PageAddress = {
  readonly page: PageId
  readonly params?: Readonly<Record<string, string>>
  readonly search?: RawSearch
}

/** An address below the console's base path, as the router has it: `/as/{organization}/keys?…` for operators, `/keys?…` for customers. */
export function pathOf(
  config: Pick<ConsoleConfig, 'mode'>,
  organizationId: string,
  { page, params = {}, search = {} }: PageAddress,
): string {
  const path = pageOf(page).path.replaceAll(/\$(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''))
  return `${prefixOf(config, organizationId)}${path}${formatSearch(search)}`
}

/** What stands before every page of an organization. */
export function prefixOf({ mode }: Pick<ConsoleConfig, 'mode'>, organizationId: string): string {
  return mode === 'operator' ? `/as/${organizationId}` : ''
}

/** The same from the root of the host: what `href` and the clipboard get. */
export function hrefOf(config: Pick<ConsoleConfig, 'basePath'>, path: string): string {
  return `${config.basePath.slice(0, -1)}${path}`
}

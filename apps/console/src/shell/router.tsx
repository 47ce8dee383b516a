import { createRootRoute, createRoute, createRouter, redirect } from '@tanstack/react-router'
import type { AnyRoute, AnyRouter } from '@tanstack/react-router'
import { lazy } from 'react'
import type { ReactNode } from 'react'
import type { ConsoleConfig } from '../config.ts'
import { prefixOf } from '../paths.ts'
import { PAGES, pageAt, pageOf } from '../routes.ts'
import type { PageRoute } from '../routes.ts'
import { formatSearch, parseSearch } from '../search-params.ts'
import { CrashPage, MissingPage } from './ErrorPages.tsx'
import { CustomerScope } from './CustomerScope.tsx'
import { PageFrame } from './PageFrame.tsx'
import { RootFrame } from './RootFrame.tsx'

// Customers need none of it.
const OperatorScope = lazy(async () => {
  const { OperatorScope: found } = await import('../operator/OperatorScope.tsx')
  return { default: found }
})
const OrganizationSearch = lazy(async () => {
  const { OrganizationSearch: found } = await import('../operator/OrganizationSearch.tsx')
  return { default: found }
})

/** The router of a page, made from the one table of pages. */
export function createConsoleRouter(config: ConsoleConfig): AnyRouter {
  // The page's code is on its way while it is still asked who may see it.
  const page = pageAt(location.pathname) ?? pageOf('overview')
  void page.load().catch(() => {})
  const root = createRootRoute({ component: RootFrame, notFoundComponent: () => <MissingPage />, errorComponent: CrashPage })
  return createRouter({
    routeTree: root.addChildren(config.mode === 'operator' ? operatorRoutes(root, config) : [scopeRoute(root, '/', CustomerScope)]),
    basepath: config.basePath.slice(0, -1),
    parseSearch,
    stringifySearch: formatSearch,
    // The browser's own: the router's would keep places in sessionStorage, and nothing is kept there.
    scrollRestoration: false,
    defaultNotFoundComponent: () => <MissingPage />,
    defaultErrorComponent: CrashPage,
  })
}

function operatorRoutes(root: AnyRoute, config: ConsoleConfig): AnyRoute[] {
  const { organizationId } = config
  const search = createRoute({
    getParentRoute: () => root,
    path: '/',
    component: OrganizationSearch,
    // A page of an environment's host shows one organization: there is nothing to search for.
    beforeLoad: ({ location }) => {
      if (organizationId !== undefined)
        throw redirect({ to: `${prefixOf(config, organizationId)}/overview`, search: location.search as never, replace: true })
    },
  })
  return [search, scopeRoute(root, '/as/$organization', () => <OperatorScope />)]
}

/** Everything of one organization: its overview at the root, and the pages of the table. */
function scopeRoute(root: AnyRoute, path: string, component: () => ReactNode): AnyRoute {
  const scope = createRoute({ getParentRoute: () => root, ...(path === '/' ? { id: 'scope' } : { path }), component })
  const index = createRoute({
    getParentRoute: () => scope,
    path: '/',
    beforeLoad: ({ location }) => {
      throw redirect({ to: `${location.pathname.replace(/\/$/, '')}/overview`, search: location.search as never, replace: true })
    },
  })
  return scope.addChildren([index, ...PAGES.map((page) => pageRoute(scope, page))])
}

function pageRoute(scope: AnyRoute, page: PageRoute): AnyRoute {
  const Page = lazy(async () => ({ default: await page.load() }))
  return createRoute({
    getParentRoute: () => scope,
    path: page.path,
    component: () => (
      <PageFrame page={page}>
        <Page />
      </PageFrame>
    ),
  })
}

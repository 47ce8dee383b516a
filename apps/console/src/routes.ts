import type { ComponentType } from 'react'

export type PageId =
  | 'overview'
  | 'invoices'
  | 'statement'
  | 'budgets'
  | 'new-budget'
  | 'edit-budget'
  | 'machines'
  | 'keys'
  | 'new-key'
  | 'rotate-key'
  | 'revoke-key'
  | 'members'
  | 'access-log'
  | 'support'
  | 'start'

export type NavigationSection = 'Usage' | 'Access' | ''

/** One page: where it is, who may see it, and what it does. Navigation, router and refusals are made from this table alone (R6). */
export type PageRoute = {
  readonly id: PageId
  /** Below the organization: `/keys/$key/rotate`. */
  readonly path: string
  /** Sentence case; in the heading, the tab and "{Page} changes data". */
  readonly title: string
  /** Under what it stands in the navigation; absent: it is reached from another page. */
  readonly section?: NavigationSection
  /** Whom it is for, besides customers. Support access is the customer's own affair. */
  readonly isForOperators: boolean
  /** It changes data: operators find an explanation there, and viewers no way to it. */
  readonly isWrite: boolean
  /** Loaded when it is opened. */
  readonly load: () => Promise<ComponentType>
}

const READ = { isForOperators: true, isWrite: false } as const
const WRITE = { isForOperators: false, isWrite: true } as const

/** In the order of the navigation. */
export const PAGES: readonly PageRoute[] = [
  {
    ...READ,
    id: 'overview',
    path: '/overview',
    title: 'Overview',
    section: 'Usage',
    load: async () => (await import('./overview/OverviewPage.tsx')).OverviewPage,
  },
  {
    ...READ,
    id: 'invoices',
    path: '/invoices',
    title: 'Invoices',
    section: 'Usage',
    load: async () => (await import('./pages/invoices/InvoicesPage.tsx')).InvoicesPage,
  },
  // An invoice by its id, or the statement of a month, `2026-11`.
  {
    ...READ,
    id: 'statement',
    path: '/invoices/$invoice',
    title: 'Statement',
    load: async () => (await import('./pages/statement/StatementPage.tsx')).StatementPage,
  },
  {
    ...READ,
    id: 'budgets',
    path: '/budgets',
    title: 'Budgets and alerts',
    section: 'Usage',
    load: async () => (await import('./pages/budgets/BudgetsPage.tsx')).BudgetsPage,
  },
  {
    ...WRITE,
    id: 'new-budget',
    path: '/budgets/new',
    title: 'New budget',
    load: async () => (await import('./pages/budgets/NewBudgetPage.tsx')).NewBudgetPage,
  },
  {
    ...WRITE,
    id: 'edit-budget',
    path: '/budgets/$budget',
    title: 'Change budget',
    load: async () => (await import('./pages/budgets/EditBudgetPage.tsx')).EditBudgetPage,
  },
  {
    ...READ,
    id: 'machines',
    path: '/machines',
    title: 'Virtual machines',
    section: 'Usage',
    load: async () => (await import('./pages/machines/MachinesPage.tsx')).MachinesPage,
  },
  {
    ...READ,
    id: 'keys',
    path: '/keys',
    title: 'API keys',
    section: 'Access',
    load: async () => (await import('./pages/keys/KeysPage.tsx')).KeysPage,
  },
  {
    ...WRITE,
    id: 'new-key',
    path: '/keys/new',
    title: 'Create API key',
    load: async () => (await import('./pages/keys/NewKeyPage.tsx')).NewKeyPage,
  },
  {
    ...WRITE,
    id: 'rotate-key',
    path: '/keys/$key/rotate',
    title: 'Rotate API key',
    load: async () => (await import('./pages/keys/RotateKeyPage.tsx')).RotateKeyPage,
  },
  {
    ...WRITE,
    id: 'revoke-key',
    path: '/keys/$key/revoke',
    title: 'Revoke API key',
    load: async () => (await import('./pages/keys/RevokeKeyPage.tsx')).RevokeKeyPage,
  },
  {
    ...READ,
    id: 'members',
    path: '/members',
    title: 'Members and groups',
    section: 'Access',
    load: async () => (await import('./pages/members/MembersPage.tsx')).MembersPage,
  },
  {
    ...READ,
    id: 'access-log',
    path: '/access-log',
    title: 'Access log',
    section: 'Access',
    load: async () => (await import('./pages/access-log/AccessLogPage.tsx')).AccessLogPage,
  },
  {
    ...WRITE,
    id: 'support',
    path: '/support',
    title: 'Support access',
    section: 'Access',
    load: async () => (await import('./pages/support/SupportPage.tsx')).SupportPage,
  },
  {
    ...READ,
    id: 'start',
    path: '/start',
    title: 'Getting started',
    section: '',
    load: async () => (await import('./pages/start/StartPage.tsx')).StartPage,
  },
]

/** A page of the table. */
export function pageOf(id: PageId): PageRoute {
  const page = PAGES.find((each) => each.id === id)
  if (page === undefined) throw new Error(`no page ${id}`)
  return page
}

/** The page that a path leads to, whatever stands before it; none: the path is of no page. */
export function pageAt(path: string): PageRoute | undefined {
  const tail = path.replace(/\/$/, '')
  const found = PAGES.filter((page) => new RegExp(`${page.path.replaceAll(/\$\w+/g, '[^/]+')}$`).test(tail))
  // `/keys/new` before `/keys/$key`: what has no placeholder says more.
  return found.find((page) => !page.path.includes('$')) ?? found[0]
}

import { useLocation } from '@tanstack/react-router'
import { useState } from 'react'
import type { ReactElement, ReactNode } from 'react'
import { useConsoleConfig } from '../config-context.tsx'
import { usePageHref } from '../navigation.ts'
import { PAGES } from '../routes.ts'
import type { NavigationSection, PageRoute } from '../routes.ts'
import { IconButton } from '../ui/IconButton.tsx'
import { Link } from '../ui/Link.tsx'
import { ThemeChoice } from './ThemeChoice.tsx'

const SECTIONS: readonly NavigationSection[] = ['Usage', 'Access', '']

/** The pages that stand in the navigation; below 900 px behind a menu button. */
export function Navigation({ account }: { account?: ReactNode }): ReactElement {
  const { mode } = useConsoleConfig()
  const path = useLocation({ select: ({ pathname }) => pathname })
  // Open on the page where it was opened: following a link closes it.
  const [openOn, setOpenOn] = useState<string>()
  const isOpen = openOn === path
  const pages = PAGES.filter(({ section, isForOperators }) => section !== undefined && (mode === 'customer' || isForOperators))
  return (
    <header className="navigation" data-open={isOpen}>
      <div className="navigation-bar">
        <span className="brand">Ascribe</span>
        <span className="navigation-toggle">
          <IconButton
            icon={isOpen ? 'close' : 'menu'}
            label={isOpen ? 'Close menu' : 'Open menu'}
            onPress={() => setOpenOn(isOpen ? undefined : path)}
          />
        </span>
      </div>
      <div className="navigation-body">
        <nav aria-label="Pages">
          {SECTIONS.map((section) => (
            <NavigationGroup key={section} section={section} pages={pages.filter((page) => page.section === section)} />
          ))}
        </nav>
        <div className="navigation-foot">
          {account}
          <ThemeChoice />
        </div>
      </div>
    </header>
  )
}

function NavigationGroup({ section, pages }: { section: NavigationSection; pages: readonly PageRoute[] }): ReactElement {
  const href = usePageHref()
  const path = useLocation({ select: ({ pathname }) => pathname })
  const isHere = (page: PageRoute): boolean =>
    path.includes(page.path) && !path.slice(path.indexOf(page.path) + page.path.length).match(/^[^/]/)
  return (
    <>
      {section !== '' && <p className="navigation-section">{section}</p>}
      <ul>
        {pages.map((page) => (
          <li key={page.id} onPointerEnter={() => void page.load().catch(() => {})}>
            <Link href={href({ page: page.id })} {...(isHere(page) && { 'aria-current': 'page' })}>
              {page.title}
            </Link>
          </li>
        ))}
      </ul>
    </>
  )
}

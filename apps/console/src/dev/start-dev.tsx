import { createRoot } from 'react-dom/client'
import { installMocks } from './mock-fetch.ts'
import { readDevState } from './states.ts'
import { Switcher } from './Switcher.tsx'
import './dev.css'

/** What only a developer's page has: mocks in place of the API, and what switches their states. None of it is in a build. */
export function startDev(): void {
  if (document.documentElement.dataset['dev'] !== 'mock') return
  installMocks(readDevState())
  const root = document.createElement('aside')
  root.setAttribute('aria-label', 'Developer')
  document.body.append(root)
  createRoot(root).render(<Switcher />)
}

import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import './theme/tokens.css'
import './theme/base.css'
import './ui/ui.css'
import './shell/shell.css'
import './operator/operator.css'
import { parseConfig } from './config.ts'
import { App } from './shell/App.tsx'
import { applyTheme, readTheme } from './theme/theme.ts'

applyTheme(readTheme())

async function start(): Promise<void> {
  const config = parseConfig(document.getElementById('ascribe-config')?.textContent ?? '')
  const root = document.getElementById('root')
  if (root === null) throw new Error('Cannot start: the page has no root')
  if (import.meta.env.DEV) (await import('./dev/start-dev.tsx')).startDev()
  createRoot(root).render(
    <StrictMode>
      <App config={config} />
    </StrictMode>,
  )
}

// Not awaited at the top: pieces that are loaded later import what stands beside this, and would wait for it for ever.
void start()

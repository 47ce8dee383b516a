import { RouterProvider } from '@tanstack/react-router'
import { useMemo } from 'react'
import type { ReactElement } from 'react'
import type { ConsoleConfig } from '../config.ts'
import { ConfigProvider } from '../config-context.tsx'
import { NavigateContext } from '../ui/navigate.ts'
import { createConsoleRouter } from './router.tsx'
import { ServicesProvider, createServices } from './services.tsx'

/** The whole console. */
export function App({ config }: { config: ConsoleConfig }): ReactElement {
  const services = useMemo(() => createServices(config), [config])
  const router = useMemo(() => createConsoleRouter(config), [config])
  const navigate = useMemo(() => (href: string) => router.history.push(href), [router])
  return (
    <ConfigProvider value={config}>
      <ServicesProvider services={services}>
        <NavigateContext value={navigate}>
          <RouterProvider router={router} />
        </NavigateContext>
      </ServicesProvider>
    </ConfigProvider>
  )
}

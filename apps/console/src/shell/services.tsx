import { QueryClientProvider } from '@tanstack/react-query'
import type { QueryClient } from '@tanstack/react-query'
import { createContext, use, useSyncExternalStore } from 'react'
import type { ReactElement, ReactNode } from 'react'
import { createQueryClient } from '../api/query-client.ts'
import type { ConsoleConfig } from '../config.ts'
import { createEndedStore } from '../operator/ended.ts'
import type { Ended, EndedStore } from '../operator/ended.ts'

/** What lives as long as the tab. */
export type Services = {
  readonly ended: EndedStore
  readonly queries: QueryClient
  /** The server's clock, epoch milliseconds. */
  readonly now: () => number
}

/** Makes them once for a page. */
export function createServices(config: ConsoleConfig): Services {
  const ahead = config.now - Date.now()
  const now = (): number => Date.now() + ahead
  const ended = createEndedStore()
  return { ended, now, queries: createQueryClient(ended, now) }
}

const ServicesContext = createContext<Services | undefined>(undefined)

export function ServicesProvider({ services, children }: { services: Services; children: ReactNode }): ReactElement {
  return (
    <ServicesContext value={services}>
      <QueryClientProvider client={services.queries}>{children}</QueryClientProvider>
    </ServicesContext>
  )
}

export function useServices(): Services {
  const services = use(ServicesContext)
  if (services === undefined) throw new Error('useServices() outside of its provider')
  return services
}

/** Whether, and why, nothing may be shown any more. */
export function useEnded(): Ended | undefined {
  const { ended } = useServices()
  return useSyncExternalStore(
    (listener) => ended.subscribe(listener),
    () => ended.get(),
  )
}

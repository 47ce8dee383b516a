import { createContext, use } from 'react'
import type { ConsoleConfig } from './config.ts'

const ConfigContext = createContext<ConsoleConfig | undefined>(undefined)

export const ConfigProvider = ConfigContext.Provider

/** The page's configuration. */
export function useConsoleConfig(): ConsoleConfig {
  const config = use(ConfigContext)
  if (config === undefined) throw new Error('useConsoleConfig() outside of its provider')
  return config
}

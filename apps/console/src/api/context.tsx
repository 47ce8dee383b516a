import { createContext, use } from 'react'
import type { ConsoleApi } from './api.ts'

/** Whose pages these are, and as whom they are read. */
export type Scope = {
  readonly api: ConsoleApi
  readonly organizationId: string
  /** Absent until it has been read. */
  readonly organizationName: string | undefined
  /** Whether controls that change something are rendered at all: customers who are `admin` there. Never an operator. */
  readonly mayWrite: boolean
}

const ScopeContext = createContext<Scope | undefined>(undefined)

export const ScopeProvider = ScopeContext.Provider

/** The organization whose pages these are. */
export function useScope(): Scope {
  const scope = use(ScopeContext)
  if (scope === undefined) throw new Error('useScope() outside of an organization')
  return scope
}

/** The API of the organization whose pages these are. */
export function useApi(): ConsoleApi {
  return useScope().api
}

/** Whether to render what changes something. */
export function useMayWrite(): boolean {
  return useScope().mayWrite
}

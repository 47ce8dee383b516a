import { useMemo } from 'react'
import { listApiKeys, listGroups, listMembers } from '@ascribe/contract/operations'
import type { BudgetJson } from '@ascribe/contract/reads'
import { useScope } from '../../api/context.tsx'
import { keyName } from '../keys/keys-view.ts'
import { useAllPages } from '../use-all-pages.ts'

/** What people call whom a budget bounds. An id where there is no name. */
export function useSubjectName(): (scope: BudgetJson['scope'], subject: string) => string {
  const { organizationName } = useScope()
  const keys = useAllPages(listApiKeys, { query: { limit: 500 } }).data
  const groups = useAllPages(listGroups, { query: { limit: 500 } }).data
  const members = useAllPages(listMembers, { query: { limit: 500 } }).data
  return useMemo(() => {
    const names = new Map<string, string>()
    for (const key of keys ?? []) names.set(`credential ${key.id}`, keyName(key))
    for (const { id, name } of groups ?? []) names.set(`group ${id}`, name ?? id)
    for (const { id, name, email } of members ?? []) names.set(`user ${id}`, name ?? email ?? id)
    return (scope, subject) => {
      if (subject === '*') return EACH[scope]
      if (scope === 'organization') return organizationName ?? 'The organization'
      return names.get(`${scope} ${subject}`) ?? subject
    }
  }, [keys, groups, members, organizationName])
}

const EACH: Readonly<Record<BudgetJson['scope'], string>> = {
  organization: 'Each organization',
  user: 'Each user',
  group: 'Each group',
  credential: 'Each API key',
}

export const SCOPE_WORDS: Readonly<Record<BudgetJson['scope'], string>> = {
  organization: 'Organization',
  user: 'User',
  group: 'Group',
  credential: 'API key',
}

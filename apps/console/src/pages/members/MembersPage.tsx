import type { ReactNode } from 'react'
import { listGroups, listMembers } from '@ascribe/contract/operations'
import type { GroupsPage, MembersPage as Members } from '@ascribe/contract/reads'
import { useConsoleConfig } from '../../config-context.tsx'
import { NOTHING } from '../../format/digits.ts'
import { Card } from '../../ui/Card.tsx'
import { EmptyState } from '../../ui/EmptyState.tsx'
import { Page } from '../../ui/Page.tsx'
import { Table } from '../../ui/Table.tsx'
import { Loaded } from '../Loaded.tsx'
import { useAllPages } from '../use-all-pages.ts'
import '../pages.css'

/** Who belongs here. Read-only: where people sign in is where members are made. */
export function MembersPage(): ReactNode {
  const { provider } = useConsoleConfig()
  const members = useAllPages(listMembers, { query: { limit: 500 } })
  const groups = useAllPages(listGroups, { query: { limit: 500 } })
  const groupName = new Map(groups.data?.map(({ id, name }) => [id, name ?? id]))
  return (
    <Page title="Members and groups">
      <p className="ui-lead">As the directory has them now. Changes are made where you sign in, or by {provider}, and show up here.</p>
      <Loaded query={members} what="the members" height={240}>
        {(all) => (
          <Card isFlush title={`Members (${all.length}${members.isWhole ? '' : '+'})`}>
            {all.length === 0 ? (
              <EmptyState title="No members.">The directory names nobody of this organization.</EmptyState>
            ) : (
              <Table<Members['data'][number]>
                caption="Members"
                rows={all}
                rowKey={({ id }) => id}
                columns={[
                  { id: 'name', header: 'Name', cell: ({ name, email, id }) => name ?? email ?? id },
                  { id: 'email', header: 'E-mail', isPhone: false, cell: ({ email }) => email ?? NOTHING },
                  {
                    id: 'groups',
                    header: 'Groups',
                    cell: ({ groups: ids }) => (ids.length === 0 ? NOTHING : ids.map((id) => groupName.get(id) ?? id).join(', ')),
                  },
                  { id: 'id', header: 'Id', isPhone: false, cell: ({ id }) => <code>{id}</code> },
                ]}
              />
            )}
          </Card>
        )}
      </Loaded>
      <Loaded query={groups} what="the groups" height={160}>
        {(all) => (
          <Card isFlush title={`Groups (${all.length}${groups.isWhole ? '' : '+'})`}>
            {all.length === 0 ? (
              <EmptyState title="No groups.">Usage can be split by group once there are some.</EmptyState>
            ) : (
              <Table<GroupsPage['data'][number]>
                caption="Groups"
                rows={all}
                rowKey={({ id }) => id}
                columns={[
                  { id: 'name', header: 'Name', cell: ({ name, id }) => name ?? id },
                  { id: 'members', header: 'Members', isNumber: true, cell: ({ members: count }) => String(count) },
                  { id: 'id', header: 'Id', isPhone: false, cell: ({ id }) => <code>{id}</code> },
                ]}
              />
            )}
          </Card>
        )}
      </Loaded>
    </Page>
  )
}

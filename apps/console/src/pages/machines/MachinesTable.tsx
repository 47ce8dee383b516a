import type { ReactNode } from 'react'
import type { MachineJson } from '@ascribe/contract/reads'
import { Money } from '../../ui/Amounts.tsx'
import { Badge } from '../../ui/Badge.tsx'
import { Table } from '../../ui/Table.tsx'
import type { Column } from '../../ui/table-rows.ts'
import { MachineDetailView } from './MachineDetailView.tsx'
import { hoursText, sizeText } from './machine-view.ts'

const STATE_BADGES = {
  running: { word: 'Running', kind: 'success' },
  stopped: { word: 'Stopped', kind: 'neutral' },
  deleted: { word: 'Deleted', kind: 'neutral' },
} as const

/** A row a machine; open, what it is billed by, its hours one by one, and who made it. */
export function MachinesTable({
  machines,
  currency,
  range,
  expanded,
  onExpand,
  hasMemo,
}: {
  machines: readonly MachineJson[]
  currency: string
  range: { readonly from: string; readonly to: string }
  expanded: ReadonlySet<string>
  onExpand: (key: string, isOpen: boolean) => void
  hasMemo: boolean
}): ReactNode {
  const columns: readonly Column<MachineJson>[] = [
    {
      id: 'name',
      header: 'Name',
      cell: (machine) => (
        <span>
          {machine.name}
          <span className="pages-sub machines-size">{sizeText(machine)}</span>
        </span>
      ),
    },
    {
      id: 'owner',
      header: 'Owner',
      isPhone: false,
      cell: ({ owner, account }) => (
        <span>
          {owner ?? '–'}
          <span className="pages-sub">{account === 'owner' ? 'own cloud account' : 'account of the platform'}</span>
        </span>
      ),
    },
    { id: 'region', header: 'Region', isPhone: false, cell: ({ region }) => region },
    {
      id: 'state',
      header: 'State',
      cell: ({ state, held }) => (
        <span>
          <Badge kind={STATE_BADGES[state].kind}>{STATE_BADGES[state].word}</Badge>
          {held > 0 && <span className="pages-sub">{held === 1 ? '1 record has' : `${held} records have`} no price yet</span>}
        </span>
      ),
    },
    {
      id: 'hours',
      header: 'Hours',
      isNumber: true,
      isPhone: false,
      cell: ({ hours }) => <span title={`${hours} h`}>{hoursText(hours)}</span>,
    },
    { id: 'amount', header: `Cost, ${currency}`, isNumber: true, cell: (machine) => <Cost machine={machine} currency={currency} /> },
    ...(hasMemo
      ? [
          {
            id: 'memo',
            header: `Cloud’s own bill (memo), ${currency}`,
            isNumber: true,
            isPhone: false,
            cell: ({ memo, settledBy }: MachineJson) =>
              settledBy === 'provider' ? (
                <span className="machines-memo">
                  <Money amount={memo} currency={currency} />
                </span>
              ) : (
                '–'
              ),
          },
        ]
      : []),
  ]
  return (
    <Table
      caption="Virtual machines"
      columns={columns}
      rows={machines}
      rowKey={({ id }) => id}
      expanded={expanded}
      onExpand={onExpand}
      detail={(machine) => (expanded.has(machine.id) ? <MachineDetailView id={machine.id} range={range} /> : '')}
    />
  )
}

/** What the cloud bills the owner itself costs nothing here: that is said, and is no zero. */
function Cost({ machine: { amount, settledBy }, currency }: { machine: MachineJson; currency: string }): ReactNode {
  if (settledBy === 'provider') return <span className="pages-muted">billed by the cloud</span>
  return <Money amount={amount} currency={currency} />
}

import type { ReactNode } from 'react'
import { formatRangeShort } from '../format/dates.ts'
import { changeOf } from '../format/share.ts'
import { Dialog } from '../ui/Dialog.tsx'
import { Table } from '../ui/Table.tsx'
import type { Driver, Drivers } from './drivers.ts'
import type { Range } from './ranges.ts'
import type { UnitFormat } from './view-model.ts'

const EVERYTHING_ELSE = 'Everything else'

type Props = {
  isOpen: boolean
  onClose: () => void
  drivers: Drivers
  format: UnitFormat
  labelOf: (key: string) => string
  range: Range
}

/** What moved the total: with everything else, the rows add up to the difference. */
export function DriversDialog({ isOpen, onClose, drivers, format, labelOf, range }: Props): ReactNode {
  const name = ({ key }: Driver): string => (key === undefined ? EVERYTHING_ELSE : labelOf(key))
  return (
    <Dialog isOpen={isOpen} onClose={onClose} title="What changed" size="m">
      <p className="ui-lead">Against {formatRangeShort(range.from, range.to)}, by size of the change.</p>
      <Table
        caption="Drivers of the change"
        rows={drivers.list}
        rowKey={(row) => row.key ?? '\u0000'}
        columns={[
          { id: 'name', header: 'Name', cell: name, foot: 'Difference' },
          { id: 'before', header: 'Before', cell: (row) => format.cell(row.before), isNumber: true, isPhone: false },
          { id: 'now', header: 'Now', cell: (row) => format.cell(row.now), isNumber: true, isPhone: false },
          { id: 'percent', header: 'Change', cell: (row) => changeOf(row.now, row.before).text, isNumber: true, isPhone: false },
          {
            id: 'change',
            header: `Change, ${format.title.replace('Cost, ', '')}`,
            cell: (row) => <span title={format.exact(row.change)}>{format.cell(row.change)}</span>,
            isNumber: true,
            foot: <span title={format.exact(drivers.change)}>{format.cell(drivers.change)}</span>,
          },
        ]}
      />
    </Dialog>
  )
}

import type { ReactNode } from 'react'
import { getMachine } from '@ascribe/contract/operations'
import type { MachineDetail } from '@ascribe/contract/reads'
import { useRead } from '../../api/queries.ts'
import { formatInstantLong, formatTime } from '../../format/dates.ts'
import { usePageHref } from '../../navigation.ts'
import { DateText, Money } from '../../ui/Amounts.tsx'
import { Link } from '../../ui/Link.tsx'
import { Loaded } from '../Loaded.tsx'
import { machineMeterText, quantityText, sizeText } from './machine-view.ts'

const INTERVALS_SHOWN = 48

/** One machine: what it is billed by, stretch by stretch, and who made it. */
export function MachineDetailView({ id, range }: { id: string; range: { readonly from: string; readonly to: string } }): ReactNode {
  const query = useRead(getMachine, { params: { machine: id }, query: range })
  return (
    <Loaded query={query} what="this machine" height={160}>
      {(machine) => (
        <div className="machines-detail">
          <Facts machine={machine} />
          <Meters machine={machine} />
          <Intervals machine={machine} />
          <Acts machine={machine} />
        </div>
      )}
    </Loaded>
  )
}

function Facts({ machine: { id, namespace, cluster, since, deletedAt, createdBy, ...size } }: { machine: MachineDetail }): ReactNode {
  const href = usePageHref()
  return (
    <dl className="ui-pairs">
      <dt>Server</dt>
      <dd>
        <code>{id}</code>
      </dd>
      <dt>Size</dt>
      <dd>{sizeText(size)}</dd>
      <dt>Made</dt>
      <dd>
        <DateText at={createdBy?.at ?? since} />
        {createdBy !== undefined && (
          <span className="pages-sub">
            by {createdBy.controller} for {createdBy.object}.{' '}
            <Link href={href({ page: 'access-log', search: { what: 'act-as' } })}>Access log</Link>
          </span>
        )}
      </dd>
      {cluster !== undefined && (
        <>
          <dt>Cluster</dt>
          <dd>
            {cluster}
            {namespace !== undefined && ` in ${namespace}`}
          </dd>
        </>
      )}
      {deletedAt !== undefined && (
        <>
          <dt>Deleted</dt>
          <dd>
            <DateText at={deletedAt} />
          </dd>
        </>
      )}
    </dl>
  )
}

function Meters({ machine: { lines, currency } }: { machine: MachineDetail }): ReactNode {
  if (lines.length === 0) return <p className="pages-small">Nothing of it has a price in this range.</p>
  return (
    <table className="machines-table">
      <caption>Meters</caption>
      <thead>
        <tr>
          <th scope="col">Meter</th>
          <th scope="col" className="num">
            Quantity
          </th>
          <th scope="col" className="num">
            Price of one
          </th>
          <th scope="col" className="num">
            Amount, {currency}
          </th>
        </tr>
      </thead>
      <tbody>
        {lines.map(({ meter, quantity, rate, amount, settledBy }) => (
          <tr key={`${meter} ${rate}`}>
            <th scope="row">{machineMeterText(meter)}</th>
            <td className="num">{quantityText(quantity)}</td>
            <td className="num">
              {rate} {currency}
            </td>
            <td className="num">
              <Money amount={amount} currency={currency} />
              {settledBy === 'provider' && ' (memo)'}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Intervals({ machine: { intervals } }: { machine: MachineDetail }): ReactNode {
  if (intervals.length === 0) return null
  const shown = intervals.slice(0, INTERVALS_SHOWN)
  return (
    <details className="machines-more">
      <summary>
        Intervals ({shown.length}
        {intervals.length > shown.length && ` of ${intervals.length}`}, newest first)
      </summary>
      <ul>
        {shown.map(({ start, end, isRunning, provenance, record }) => (
          <li key={record}>
            {formatInstantLong(start).replace(' UTC', '')} – {formatTime(end)} · {isRunning ? 'running' : 'stopped'}
            {provenance !== 'reported' && ` · ${provenance}`}
          </li>
        ))}
      </ul>
    </details>
  )
}

function Acts({ machine: { acts } }: { machine: MachineDetail }): ReactNode {
  if (acts.length === 0) return null
  return (
    <details className="machines-more">
      <summary>What was done with it ({acts.length}, newest first)</summary>
      <ul>
        {acts.map(({ id, at, verb, outcome, controller }) => (
          <li key={id}>
            {formatInstantLong(at)} · {verb.replaceAll('_', ' ')} · {outcome.replaceAll('_', ' ')} · {controller}
          </li>
        ))}
      </ul>
    </details>
  )
}

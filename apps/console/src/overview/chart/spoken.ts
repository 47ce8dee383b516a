import { formatDayShort } from '../../format/dates.ts'
import { formatShare } from '../../format/share.ts'
import type { ChartModel } from './types.ts'

/** What a day, or a part of it, is when it is heard: "14 Nov, $1,204.10, 8 models". */
export function spokenDay(model: ChartModel, { index, segment }: { readonly index: number; readonly segment: number | undefined }): string {
  const column = model.columns[index]
  const { format } = model
  if (column === undefined) {
    const ahead = model.forecast[index - model.columns.length]
    if (ahead === undefined) return ''
    return `${formatDayShort(ahead.day)}, forecast ${format.full(ahead.expected)}, between ${format.full(ahead.low)} and ${format.full(ahead.high)}`
  }
  const part = segment === undefined ? undefined : column.segments[segment]
  if (part !== undefined) return `${model.labelOf(part.key)}, ${format.full(part.value)}, ${formatShare(part.value, column.total)}`
  const state = model.states[index]
  const day = formatDayShort(column.day)
  if (state === 'waiting') return `${day}, no data received`
  if (state === 'future') return `${day}, not yet`
  const sum = model.view === 'cumulative' ? [`${format.full(model.cumulative[index] ?? 0n)} until then`] : []
  const partial = state === 'partial' ? [`partial until ${model.partialUntil}`] : []
  return [day, ...sum, format.full(column.total), ...partsText(column.segments, model), ...partial].join(', ')
}

/** "Other" is some more of them: how many of a day is not known. */
function partsText(segments: ChartModel['columns'][number]['segments'], { singular, plural }: ChartModel): readonly string[] {
  const named = segments.filter(({ key }) => key !== undefined).length
  if (segments.length === 0) return []
  const words = `${named} ${named === 1 ? singular : plural}`
  return [named === segments.length ? words : named === 0 ? `other ${plural}` : `${words} and others`]
}

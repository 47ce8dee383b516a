import { useCallback, useEffect, useRef, useState } from 'react'
import type { KeyboardEvent } from 'react'
import type { ChartModel } from './types.ts'

/** Pointing at a day shows it after this time: crossing the chart shows nothing. */
const DELAY_MS = 80

/** Which day is pointed at or chosen, and which part of it. */
export type Chosen = { readonly index: number; readonly segment: number | undefined; readonly by: 'pointer' | 'touch' | 'keyboard' }

export type ChosenDay = {
  readonly chosen: Chosen | undefined
  readonly point: (index: number, by: 'pointer' | 'touch') => void
  readonly leave: () => void
  readonly onKeyDown: (event: KeyboardEvent) => void
  readonly onFocus: () => void
  readonly onBlur: () => void
}

/** Keeps the chosen day of a chart: by pointer after a moment, by keys at once. The day stays known when the chart loses focus, to come back to. */
export function useChosenDay(
  model: ChartModel,
  { count, onOpen }: { readonly count: number; readonly onOpen: (index: number) => void },
): ChosenDay {
  const [chosen, setChosen] = useState<Chosen>()
  const last = useRef<number>(undefined)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])
  const choose = useCallback((next: Chosen | undefined) => {
    clearTimeout(timer.current)
    if (next !== undefined) last.current = next.index
    setChosen(next)
  }, [])
  const point = (index: number, by: 'pointer' | 'touch'): void => {
    clearTimeout(timer.current)
    if (by === 'touch' || chosen !== undefined) choose({ index, segment: undefined, by })
    else timer.current = setTimeout(() => choose({ index, segment: undefined, by }), DELAY_MS)
  }
  const newest = Math.max(
    0,
    model.states.findLastIndex((state) => state !== 'future'),
  )
  const onKeyDown = (event: KeyboardEvent): void => {
    const index = chosen?.index ?? Math.min(last.current ?? newest, count - 1)
    const next = keyOf(event.key, { index, segment: chosen?.segment, count, parts: model.columns[index]?.segments.length ?? 0 })
    if (next === undefined) return
    event.preventDefault()
    if (next === 'open') {
      if (index < model.columns.length) onOpen(index)
    } else if (next === 'leave') choose(undefined)
    else choose({ ...next, by: 'keyboard' })
  }
  const leave = useCallback(() => choose(undefined), [choose])
  return {
    chosen: chosen !== undefined && chosen.index < count ? chosen : undefined,
    point,
    leave,
    onKeyDown,
    // A click focuses too; it has chosen a day already.
    onFocus: () =>
      chosen === undefined && choose({ index: Math.min(last.current ?? newest, count - 1), segment: undefined, by: 'keyboard' }),
    onBlur: () => chosen?.by !== 'touch' && choose(undefined),
  }
}

type Place = { readonly index: number; readonly segment: number | undefined; readonly count: number; readonly parts: number }

/** What a key does; `undefined`: nothing. */
export function keyOf(key: string, { index, segment, count, parts }: Place): Omit<Chosen, 'by'> | 'open' | 'leave' | undefined {
  const day = (to: number): Omit<Chosen, 'by'> => ({ index: Math.max(0, Math.min(count - 1, to)), segment: undefined })
  switch (key) {
    case 'ArrowLeft':
      return day(index - 1)
    case 'ArrowRight':
      return day(index + 1)
    case 'Home':
      return day(0)
    case 'End':
      return day(count - 1)
    case 'ArrowUp':
      return { index, segment: parts === 0 ? undefined : Math.min(parts - 1, (segment ?? -1) + 1) }
    case 'ArrowDown':
      return { index, segment: segment === undefined || segment === 0 ? undefined : segment - 1 }
    case 'Enter':
      return 'open'
    case 'Escape':
      return 'leave'
    default:
      return undefined
  }
}

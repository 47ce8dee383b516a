import { useCallback, useEffect, useRef, useState } from 'react'
import { exportCharges, getCosts } from '@ascribe/contract/operations'
import type { ExportQuery, Total } from '@ascribe/contract/reads'
import { useApi } from '../../api/context.tsx'
import { endOf } from '../../api/query-client.ts'
import { useServices } from '../../shell/services.tsx'
import { agreesWith, createExportSum } from '../export-sum.ts'
import type { ExportFormat, ExportProgress } from '../export-sum.ts'

export type ExportState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'running'; readonly bytes: number; readonly progress: ExportProgress }
  /** `agrees`: what was saved adds up to what the report says, exactly, in every currency. */
  | {
      readonly kind: 'done'
      readonly bytes: number
      readonly progress: ExportProgress
      readonly totals: readonly Total[]
      readonly agrees: boolean
    }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'failed'; readonly error: unknown }

type Query = Partial<ExportQuery> & { readonly from: string; readonly to: string; readonly format: ExportFormat }

/** Fetches an export, adds it up while it comes, compares that with the report of the same question, and saves it. */
export function useExport() {
  const api = useApi()
  const { ended, now } = useServices()
  const [state, setState] = useState<ExportState>({ kind: 'idle' })
  const controller = useRef<AbortController>(undefined)
  const cancel = useCallback(() => controller.current?.abort(), [])
  // Whoever leaves, or may not look any more, gets no file.
  useEffect(() => cancel, [cancel])
  const start = useCallback(
    async (query: Query) => {
      const abort = new AbortController()
      controller.current = abort
      const sum = createExportSum(query.format)
      let bytes = 0
      setState({ kind: 'running', bytes, progress: { rows: 0, totals: new Map() } })
      try {
        const reply = await api.open(exportCharges, { query, signal: abort.signal })
        const decoder = new TextDecoder()
        const parts: Uint8Array<ArrayBuffer>[] = []
        for await (const part of chunksOf(reply)) {
          parts.push(part)
          bytes += part.length
          setState({ kind: 'running', bytes, progress: sum.add(decoder.decode(part, { stream: true })) })
        }
        sum.add(decoder.decode())
        const progress = sum.end()
        // Asked afterwards: what came in meanwhile may be in both, or in the report alone, and then the page says that it is.
        const { from, to, format: _format, ...filters } = query
        const { totals } = await api.call(getCosts, { query: { ...filters, from, to, grain: 'total', groupBy: [] }, signal: abort.signal })
        const agrees = agreesWith(progress, totals)
        save(new Blob(parts, { type: 'text/csv' }), fileNameOf(reply, query))
        setState({ kind: 'done', bytes, progress, totals, agrees })
      } catch (error) {
        setState(abort.signal.aborted ? { kind: 'cancelled' } : { kind: 'failed', error })
        // An export is no query, and says it no less when nothing may be shown any more.
        const end = abort.signal.aborted ? undefined : endOf(error, now())
        if (end !== undefined) ended.set(end)
      }
    },
    [api, ended, now],
  )
  return { state, start, cancel, reset: useCallback(() => setState({ kind: 'idle' }), []) }
}

async function* chunksOf(reply: Response): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  const reader = reply.body?.getReader()
  if (reader === undefined) return
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    yield value
  }
}

function fileNameOf(reply: Response, { from, to, format }: Query): string {
  const named = /filename="([\w.-]+)"/.exec(reply.headers.get('content-disposition') ?? '')?.[1]
  return named ?? `charges-${from}-${to}${format === 'focus' ? '-focus-1.2' : ''}.csv`
}

/** Longer than any browser needs to begin a download. */
const REVOKE_MS = 60_000

function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob)
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), REVOKE_MS)
}

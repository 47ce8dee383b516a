import type { Terms } from '@ascribe/identity'

/** Terms in a few words: `cancel, 4 at once`. Empty where nothing is said. */
export function termsText({ abort, drainMs, drainBytes, drainTokens, maxConcurrent, bodySample }: Terms): string {
  const bounds = [
    ...(drainMs === undefined ? [] : [`${drainMs} ms`]),
    ...(drainBytes === undefined ? [] : [`${drainBytes} bytes`]),
    ...(drainTokens === undefined ? [] : [`${drainTokens} tokens`]),
  ]
  const drain = bounds.length === 0 ? [] : [`drain to ${bounds.join(', ')}`]
  const own = abort === undefined || (abort === 'drain' && drain.length > 0) ? [] : [abort]
  return [
    ...own,
    ...drain,
    ...(maxConcurrent === undefined ? [] : [`${maxConcurrent} at once`]),
    ...(bodySample === undefined ? [] : [`bodies of ${bodySample / 10_000} %`]),
  ].join(', ')
}

/** The same under the names that programs read. */
export function termsJson({ abort, drainMs, drainBytes, drainTokens, maxConcurrent, bodySample }: Terms): Record<string, unknown> {
  return {
    abort,
    drain_ms: drainMs,
    drain_bytes: drainBytes,
    drain_tokens: drainTokens,
    max_concurrent: maxConcurrent,
    body_sample: bodySample,
  }
}

import { isObject } from '../client/client.ts'
import { isRecord, parseJson } from '../connection/status.ts'
import { faultOfStatus } from '../connection/status.ts'
import { KubeError } from '../errors.ts'
import type { KubeFault } from '../errors.ts'
import type { KubeObject } from '../objects.ts'

/** One line of a watch. */
export type WatchEvent<T extends KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T; readonly version: string }
  | { readonly type: 'BOOKMARK'; readonly version: string; readonly endsInitial: boolean }
  | { readonly type: 'ERROR'; readonly fault: KubeFault }

const INITIAL_END = 'k8s.io/initial-events-end'

/** Reads a line. What is no event breaks the watch: an event that was skipped would be missing for ever. @throws {KubeError} */
export function readEvent<T extends KubeObject>(line: string, operation: string): WatchEvent<T> {
  const event = parseJson(line)
  if (!isRecord(event)) throw malformed(operation, 'a line is no JSON')
  const { type, object } = event
  if (type === 'ERROR') return { type, fault: faultOfStatus(object) }
  const version = isObject(object) ? object.metadata.resourceVersion : undefined
  if (!isObject(object) || version === undefined) throw malformed(operation, 'an event holds no object')
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type, object: object as T, version }
    case 'BOOKMARK':
      return { type, version, endsInitial: object.metadata.annotations?.[INITIAL_END] === 'true' }
    default:
      throw malformed(operation, `an event has the type ${JSON.stringify(type)}`)
  }
}

function malformed(operation: string, message: string): KubeError {
  return new KubeError(operation, { reason: 'Malformed', message })
}

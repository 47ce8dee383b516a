import { Refusal } from './refusal.ts'

/** What a path names. */
export type Target = {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly subresource: string | undefined
}

/** `/api/v1/…` and `/apis/GROUP/VERSION/…`, with or without `namespaces/NS`. */
export function targetOf(path: string): Target {
  const parts = path.split('/').filter(Boolean).map(decodeURIComponent)
  const [root, ...rest] = parts
  const group = root === 'api' ? '' : rest.shift()
  const version = rest.shift()
  if ((root !== 'api' && root !== 'apis') || group === undefined || version === undefined || rest.length === 0) throw unserved()
  // A namespace itself, and its status, are objects; below it are others.
  if (rest[0] === 'namespaces' && rest.length > 2 && !(group === '' && ['status', 'finalize'].includes(rest[2] ?? ''))) {
    const [, namespace, plural = '', name, subresource] = rest
    return { group, version, plural, namespace, name, subresource }
  }
  const [plural = '', name, subresource] = rest
  return { group, version, plural, namespace: undefined, name, subresource }
}

export function unserved(): Refusal {
  return new Refusal(404, 'NotServed', { message: '404 page not found' })
}

export const idOf = ({ group, plural }: Pick<Target, 'group' | 'plural'>): string => `${group}/${plural}`

export function keyOfTarget({ namespace, name }: Target): string {
  return namespace === undefined ? (name ?? '') : `${namespace}/${name}`
}

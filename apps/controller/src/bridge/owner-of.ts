import { OWNER_ANNOTATIONS } from '@ascribe/kinds'

/** Who the annotations of a KdcCluster say owns it. */
export type NamedOwner =
  | { readonly is: 'named'; readonly email: string; readonly annotation: string }
  | { readonly is: 'nobody' }
  /** Both names stand and say different things. */
  | { readonly is: 'conflict'; readonly message: string }

/** Reads both names of the annotation. Blank is nobody; letters' case does not make another owner. */
export function namedOwner(annotations: Readonly<Record<string, string>> = {}): NamedOwner {
  const found = OWNER_ANNOTATIONS.flatMap((annotation) => {
    const email = (annotations[annotation] ?? '').trim()
    return email === '' ? [] : [{ annotation, email }]
  })
  const [first, second] = found
  if (first === undefined) return { is: 'nobody' }
  if (second !== undefined && second.email.toLowerCase() !== first.email.toLowerCase())
    return { is: 'conflict', message: `${first.annotation} and ${second.annotation} name different owners: remove one of them` }
  return { is: 'named', ...first }
}

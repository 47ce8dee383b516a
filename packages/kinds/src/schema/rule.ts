/** A rule in CEL on a schema node (`x-kubernetes-validations`). */
export type Rule = { readonly rule: string; readonly message: string; readonly fieldPath?: string }

/** What a node may say beyond what Zod knows; the lowering keeps it. */
export type Extensions = {
  readonly description?: string
  readonly format?: string
  readonly maxProperties?: number
  readonly 'x-kubernetes-validations'?: readonly Rule[]
  readonly 'x-kubernetes-list-type'?: 'map' | 'set' | 'atomic'
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
  readonly 'x-kubernetes-map-type'?: 'atomic' | 'granular'
  readonly 'x-kubernetes-int-or-string'?: true
}

/** A field that never changes once the object is there, neither by adding nor by removing it. On the parent. */
export function immutable(field: string, because: string): Rule {
  return {
    rule: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
    message: `${field} cannot be changed, added or removed: ${because}`,
  }
}

/** A field that may be added, and then never changes. On the parent. */
export function writtenOnce(field: string, because: string): Rule {
  return {
    rule: `!has(oldSelf.${field}) || (has(self.${field}) && self.${field} == oldSelf.${field})`,
    message: `${field} is written once: ${because}`,
  }
}

/** A required field that never changes. On the parent. */
export function fixed(field: string, because: string): Rule {
  return { rule: `self.${field} == oldSelf.${field}`, message: `${field} cannot be changed: ${because}` }
}

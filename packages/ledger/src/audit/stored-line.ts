import type { JsonValue } from '../money/canonical-json.ts'
import type { AuditKind, PersonalFields } from './entry.ts'

/** What a line says, as it is stored and hashed. Version 1 of the format; docs/guides/audit.md has it in words. */
export type LineBody = {
  readonly v: number
  readonly kind: AuditKind
  /** RFC 3339. */
  readonly at: string
  readonly actor: {
    readonly kind: string
    readonly via: string
    readonly id?: string
    readonly issuer?: string
    readonly roles?: readonly string[]
  }
  readonly act?: { readonly session: string; readonly expiresAt?: string }
  readonly method?: string
  readonly path?: string
  readonly status?: number
  readonly requestId?: string
  readonly about?: string
  readonly detail?: { readonly [name: string]: JsonValue }
  /** Commitments by field. */
  readonly sealed?: Readonly<Record<string, string>>
}

/** A line as its table has it. */
export type LineRow = { readonly sequence: bigint; readonly body: string; readonly hash: Buffer; readonly fields: string | null }

/** Reads what encodeEntry() wrote and append_audit() stored; nobody else writes there. */
export function bodyOf(row: LineRow): LineBody {
  return JSON.parse(row.body) as LineBody
}

/** The sealed fields that are still there. */
export function personalOf(row: LineRow): PersonalFields {
  return row.fields === null ? {} : (JSON.parse(row.fields) as PersonalFields)
}

/** Those that a line commits to and that are gone. */
export function erasedFields(body: Pick<LineBody, 'sealed'>, personal: PersonalFields): readonly string[] {
  return Object.keys(body.sealed ?? {}).filter((name) => !Object.hasOwn(personal, name))
}

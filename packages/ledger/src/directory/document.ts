import type { Instant } from '@ascribe/units'

/*
 * What a source says of the directory. A section that is missing says nothing of its kind. What an entry leaves out stays as it is; null
 * takes it away.
 */

export type OrganizationEntry = {
  /** UUID. */
  readonly id: string
  readonly name: string
  /** Default USD, for a new one. */
  readonly currency?: string
  readonly parent?: string | null
}

export type GroupEntry = { readonly id: string; readonly organization: string; readonly name?: string | null }

export type UserEntry = {
  readonly id: string
  readonly name?: string | null
  readonly email?: string | null
  /** Organizations and groups that the user is a member of. */
  readonly organizations?: readonly string[]
  readonly groups?: readonly string[]
  /** What the user may do in the organizations that this entry names: a viewer reads, an admin changes as well. */
  readonly role?: 'admin' | 'viewer'
}

export type ResourceEntry = {
  readonly id: string
  readonly type?: string | null
  readonly name?: string | null
  readonly organization?: string | null
  /** Where it is: `aws/us-east-1`. */
  readonly region?: string | null
}

export type MappingEntry = {
  readonly auth_id: string
  /** Null: nobody's. */
  readonly organization: string | null
  readonly user?: string
  readonly group?: string
  readonly from?: Instant
  readonly to?: Instant
}

/** A key by what proves it, never the key itself. Only added, never changed: keys are rotated and revoked where they are. */
export type KeyEntry = {
  readonly auth_id: string
  readonly organization: string
  readonly public_id: string
  readonly hmac: string
  readonly scopes: readonly string[]
  readonly name?: string
  readonly expires_at?: Instant
}

export type DirectoryDocument = {
  readonly organizations?: readonly OrganizationEntry[]
  readonly groups?: readonly GroupEntry[]
  readonly users?: readonly UserEntry[]
  readonly resources?: readonly ResourceEntry[]
  readonly mappings?: readonly MappingEntry[]
  readonly keys?: readonly KeyEntry[]
}

export type SectionName = keyof DirectoryDocument

/** Where in a document something is: an entry, and perhaps one of its fields. Without an index: the whole. */
export type DocumentPlace = { readonly section?: SectionName; readonly index?: number; readonly field?: string }

export type DocumentProblem = {
  readonly place: DocumentPlace
  /** What is wrong. */
  readonly message: string
  /** How to mend it. */
  readonly hint: string
}

type FieldType = 'uuid' | 'id' | 'text' | 'currency' | 'instant' | 'ids' | 'uuids' | 'words' | 'role' | 'public id' | 'hmac'

export type Field = { readonly type: FieldType; readonly required?: true; readonly nullable?: true }

/** The fields of each section. */
export const SECTIONS: { readonly [Name in SectionName]-?: Readonly<Record<string, Field>> } = {
  organizations: {
    id: { type: 'uuid', required: true },
    name: { type: 'text', required: true },
    currency: { type: 'currency' },
    parent: { type: 'uuid', nullable: true },
  },
  groups: { id: { type: 'id', required: true }, organization: { type: 'uuid', required: true }, name: { type: 'text', nullable: true } },
  users: {
    id: { type: 'id', required: true },
    name: { type: 'text', nullable: true },
    email: { type: 'text', nullable: true },
    organizations: { type: 'uuids' },
    groups: { type: 'ids' },
    role: { type: 'role' },
  },
  resources: {
    id: { type: 'id', required: true },
    type: { type: 'text', nullable: true },
    name: { type: 'text', nullable: true },
    organization: { type: 'uuid', nullable: true },
    region: { type: 'text', nullable: true },
  },
  mappings: {
    auth_id: { type: 'id', required: true },
    organization: { type: 'uuid', required: true, nullable: true },
    user: { type: 'id' },
    group: { type: 'id' },
    from: { type: 'instant' },
    to: { type: 'instant' },
  },
  keys: {
    auth_id: { type: 'id', required: true },
    organization: { type: 'uuid', required: true },
    public_id: { type: 'public id', required: true },
    hmac: { type: 'hmac', required: true },
    scopes: { type: 'words', required: true },
    name: { type: 'text' },
    expires_at: { type: 'instant' },
  },
}

export const SECTION_NAMES: readonly SectionName[] = ['organizations', 'groups', 'users', 'resources', 'mappings', 'keys']

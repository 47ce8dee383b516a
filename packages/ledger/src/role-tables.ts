/**
 * What a role may do with a table, beside reading it: the words of a grant. A role that is left out may only read. Administrators write every
 * row of every table but those of {@link OWNERS_ONLY}, unless `admin` says what they may.
 */
export type TableRights = {
  readonly settler?: string
  readonly api?: string
  readonly internal?: string
  /** Default: insert, update, delete. '': only read. */
  readonly admin?: string
  /** Those who may not even read it. */
  readonly hiddenFrom?: readonly Reader[]
  /** All that the internal listener may read of it: what proves a credential is for nobody who looks at customers. */
  readonly internalColumns?: readonly string[]
}
export type Reader = 'settler' | 'api' | 'internal'

const EVERYTHING = 'insert, update, delete'
/** Facts, which triggers keep from being changed too: what derives from them can be made again, they cannot. */
const ADDED: TableRights = { settler: 'insert' }
/** What follows from facts, or is counted from them; work that waits. */
const DERIVED: TableRights = { settler: EVERYTHING }
/** What people decide: who is who, prices, limits, closing of months, money. */
const DECIDED: TableRights = {}
/** How the machinery runs, which no customer is shown. */
const MACHINERY: readonly Reader[] = ['internal']
/** Of the admin listener alone. */
const PLATFORM: TableRights = { hiddenFrom: ['settler', 'api', 'internal'] }
/** What happened, and who looked: written by append_audit() alone, by nobody changed. */
const TRAIL: TableRights = { admin: '', hiddenFrom: ['settler'] }

/** Every table and view, on purpose: a test fails for one that is in no list. Who reports usage of others does so through the API. */
export const TABLE_RIGHTS: Readonly<Record<string, TableRights>> = {
  organization: DECIDED,
  organization_version: DECIDED,
  organization_parent: DECIDED,
  organization_member: DECIDED,
  user_version: DECIDED,
  group_version: DECIDED,
  group_member: DECIDED,
  resource_version: DECIDED,
  // Customers make keys of their own, and end them.
  auth_mapping: { api: 'insert' },
  credential: {
    api: 'insert, update (revoked_at)',
    internalColumns: ['auth_id', 'public_id', 'name', 'scopes', 'created_at', 'revoked_at'],
  },
  credential_secret: { api: 'insert', internalColumns: ['public_id', 'auth_id', 'created_at', 'created_by'] },
  credential_secret_end: { api: 'insert' },
  directory_source: { hiddenFrom: MACHINERY },
  credential_terms: DECIDED,
  // It says where engines are, which is nobody's business who looks at customers.
  deployment_version: { hiddenFrom: MACHINERY },
  // Settlers publish, and make the version in which something planned begins.
  policy_version: { settler: 'update', api: 'update' },
  policy_due: { ...DERIVED, api: EVERYTHING },
  policy_key_change: { ...DERIVED, api: EVERYTHING },

  usage_record: { settler: 'insert', api: 'insert' },
  usage_quarantine: { settler: EVERYTHING, api: 'insert', hiddenFrom: MACHINERY },
  writer_position: DERIVED,
  writer_range: DERIVED,
  dirty_hour: { settler: EVERYTHING, api: 'insert' },
  dirty_period: DERIVED,
  foreign_event: { api: 'insert' },
  record_act: DECIDED,
  superseded_record: DECIDED,
  usage_archive: DECIDED,
  usage_partition: DECIDED,

  price_version: DECIDED,
  usage_hour: DERIVED,
  charge: DERIVED,
  provider_charge: DERIVED,
  charge_day: DERIVED,
  charge_day_built: DERIVED,
  charge_day_mark: DERIVED,
  cost_day: DERIVED,
  cost_day_built: DERIVED,
  usage_day: DERIVED,
  period_quantity: DERIVED,
  adjustment: ADDED,
  // Months are closed by somebody, for good.
  billing_period: DECIDED,
  statement_line: DECIDED,
  // Telling a manager what was charged decides nothing: whoever does it on a timer needs no right over money.
  usage_push: { settler: 'insert, update' },

  credit_block: DECIDED,
  credit_entry: DECIDED,
  invoice: DECIDED,
  document_series: DECIDED,
  credit_note: DECIDED,
  credit_note_line: DECIDED,
  billing_party: DECIDED,
  tax_rule: DECIDED,

  // A budget is decided, by customers too; that its past has been counted is noted.
  budget: { settler: 'update (counted)', api: 'insert, update (name, thresholds, webhook_url, effective_until, ended_by)' },
  budget_limit: { api: 'insert' },
  // Salts. Customers ask for secrets, settlers sign with them.
  budget_webhook_secret: { api: 'insert, update (ends_at)' },
  rate_limit: DECIDED,
  budget_account: DERIVED,
  budget_lease: DERIVED,
  // It has the addresses of webhooks, which may hold what lets one in.
  budget_alert: { ...DERIVED, hiddenFrom: MACHINERY },
  budget_state: { ...DERIVED, api: 'update (rules)' },
  gateway_writer: DERIVED,

  audit_head: TRAIL,
  audit_line: TRAIL,
  // To take fields out, see eraseAudit().
  audit_personal: { ...TRAIL, admin: 'update' },
  // Operators begin and end; customers let them in, and end what runs. Administrators take out what names a person.
  acting_session: { internal: 'insert', admin: 'update', hiddenFrom: ['settler'] },
  acting_session_end: { internal: 'insert', api: 'insert', admin: '', hiddenFrom: ['settler'] },
  support_policy: { api: 'insert', admin: '', hiddenFrom: ['settler'] },
  support_request: { internal: 'insert', admin: 'update', hiddenFrom: ['settler'] },
  support_decision: { api: 'insert', admin: '', hiddenFrom: ['settler'] },
  support_window: { api: 'insert', admin: '', hiddenFrom: ['settler'] },
  support_window_end: { api: 'insert', admin: '', hiddenFrom: ['settler'] },

  cloud_owner: DECIDED,
  // The settler writes their lines; what controllers say of namespaces and accounts is no customer's before it is somebody's.
  cloud_act: ADDED,
  cloud_act_waiting: { ...DERIVED, hiddenFrom: MACHINERY },
  machine: DERIVED,
  platform_credential: PLATFORM,
  platform_credential_end: PLATFORM,
  platform_credential_use: PLATFORM,
  idempotent_request: PLATFORM,

  // Who is signed in. Nobody but the customers' listener has business there.
  web_session: { api: EVERYTHING, hiddenFrom: ['settler', 'internal'] },

  schema_migration: DECIDED,
}

/** The migrator's own: who may write to it could make a program believe anything of the schema. */
export const OWNERS_ONLY: ReadonlySet<string> = new Set(['schema_migration'])

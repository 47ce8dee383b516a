/**
 * What a role may do with a table, beside reading it: the words of a grant. A role that is left out may only read. Administrators are not
 * named: they write every row of every table but those of {@link OWNERS_ONLY}.
 */
export type TableRights = { readonly settler?: string; readonly api?: string }

const EVERYTHING = 'insert, update, delete'
/** Facts, which triggers keep from being changed too: what derives from them can be made again, they cannot. */
const ADDED: TableRights = { settler: 'insert' }
/** What follows from facts, or is counted from them; work that waits. */
const DERIVED: TableRights = { settler: EVERYTHING }
/** What people decide: who is who, prices, limits, closing of months, money. */
const DECIDED: TableRights = {}

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
  auth_mapping: DECIDED,
  credential: DECIDED,
  credential_secret: DECIDED,
  credential_secret_end: DECIDED,
  directory_source: DECIDED,
  // Settlers publish, and make the version in which something planned begins.
  policy_version: { settler: 'update' },
  policy_due: DERIVED,
  policy_key_change: DERIVED,

  usage_record: { settler: 'insert', api: 'insert' },
  usage_quarantine: { settler: EVERYTHING, api: 'insert' },
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

  // A budget is decided; that its past has been counted is noted.
  budget: { settler: 'update (counted)' },
  budget_limit: DECIDED,
  rate_limit: DECIDED,
  budget_account: DERIVED,
  budget_lease: DERIVED,
  budget_alert: DERIVED,
  budget_state: DERIVED,
  gateway_writer: DERIVED,

  schema_migration: DECIDED,
}

/** The migrator's own: who may write to it could make a program believe anything of the schema. */
export const OWNERS_ONLY: ReadonlySet<string> = new Set(['schema_migration'])

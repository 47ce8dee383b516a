import { readDeploymentList } from './deployments.ts'
import { PolicyFileError } from './errors.ts'
import type { PolicyKey, PolicySnapshot, Scope } from './policy.ts'
import { SCOPES } from './policy.ts'
import { readTermsList } from './terms.ts'

/**
 * Where the keys begin. In the text of {@link formatPolicy} nothing else can look like it: JSON writes a line end inside a string as `\n`.
 * They stand last, one a line, so that the head can be read without them.
 */
export const KEYS_MARK = ',"keys":[\n'

type Fields = Readonly<Record<string, unknown>>

/** Readers of the fields that a snapshot may have besides: each gives the value, or `undefined` when it is not of its shape. */
const OPTIONAL_FIELDS: { readonly [Name in keyof PolicySnapshot]?: (value: unknown) => PolicySnapshot[Name] | undefined } = {
  recent: (value) => (isRecent(value) ? { ...value, keys: value.keys.map(withKnownScopes) } : undefined),
  terms: readTermsList,
  deployments: readDeploymentList,
  keysVersion: (value) => (Number.isSafeInteger(value) ? (value as number) : undefined),
}

// The text of each key, for as long as somebody holds it: most versions change few of 100,000.
const keyTexts = new WeakMap<PolicyKey, string>()

/** JSON, with the keys last and one a line. */
export function formatPolicy(snapshot: PolicySnapshot): string {
  const { keys, ledger, version, ...rest } = snapshot
  return `${JSON.stringify({ ledger, version, ...rest }).slice(0, -1)}${KEYS_MARK}${keys.map(keyText).join(',\n')}\n]}\n`
}

function keyText(key: PolicyKey): string {
  let text = keyTexts.get(key)
  if (text === undefined) {
    text = JSON.stringify(key)
    keyTexts.set(key, text)
  }
  return text
}

/** Reads any JSON of a snapshot. What this program does not know is left out: fields, and scopes, which then grant nothing. @throws {PolicyFileError} */
export function parsePolicy(text: string, path: string): PolicySnapshot {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new PolicyFileError(`Cannot use the policy snapshot at ${path}: it is not JSON`, { cause })
  }
  const snapshot = snapshotOf(value)
  if (snapshot === undefined) throw new PolicyFileError(`Cannot use the policy snapshot at ${path}: it does not have the shape of one`)
  return snapshot
}

function snapshotOf(value: unknown): PolicySnapshot | undefined {
  if (!isRecord(value)) return undefined
  const { ledger, version, keys } = value
  if (typeof ledger !== 'string' || !Number.isSafeInteger(version) || !Array.isArray(keys) || !keys.every(isPolicyKey)) return undefined
  const optional: Record<string, unknown> = {}
  for (const [name, read] of Object.entries(OPTIONAL_FIELDS)) {
    if (value[name] === undefined) continue
    const field = read(value[name])
    // Half of what somebody wanted to be enforced is not what he wanted.
    if (field === undefined) return undefined
    optional[name] = field
  }
  return { ledger, version: version as number, ...optional, keys: keys.map(withKnownScopes) }
}

function withKnownScopes(key: PolicyKey): PolicyKey {
  const isKnown = (scope: Scope): boolean => SCOPES.includes(scope)
  return key.scopes.every(isKnown) ? key : { ...key, scopes: key.scopes.filter(isKnown) }
}

function isPolicyKey(value: unknown): value is PolicyKey {
  if (!isRecord(value)) return false
  const { authId, publicId, hmac, organizationId, scopes, expiresAt } = value
  return (
    isText(authId) &&
    isText(publicId) &&
    isText(hmac) &&
    isText(organizationId) &&
    Array.isArray(scopes) &&
    scopes.every(isText) &&
    // An end that cannot be read must not become none.
    (expiresAt === undefined || Number.isSafeInteger(expiresAt)) &&
    hasOwner(value)
  )
}

function isRecent(value: unknown): value is NonNullable<PolicySnapshot['recent']> {
  if (!isRecord(value)) return false
  const { since, authIds, keys } = value
  return Number.isSafeInteger(since) && Array.isArray(authIds) && authIds.every(isText) && Array.isArray(keys) && keys.every(isPolicyKey)
}

function hasOwner({ userId, groupId }: Fields): boolean {
  return (userId === undefined || isText(userId)) && (groupId === undefined || isText(groupId))
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

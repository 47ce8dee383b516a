/**
 * The deployments of a ledger, as they travel to gateways. What a deployment says of itself is left as it is: what the routes of this program
 * can say is not known here, and may be less than a newer one has written.
 */
export type DeploymentList = {
  /** Which ledger says so; versions of two ledgers do not compare. */
  readonly ledger: string
  /** The version of the policy in which they changed last. */
  readonly version: number
  readonly entries: readonly DeploymentEntry[]
}

/** One deployment: settings of a route, under the names that the configuration has for them. */
export type DeploymentEntry = Readonly<Record<string, unknown>>

/** Deployments out of somebody's JSON; `undefined`: they are not of that shape. */
export function readDeploymentList(value: unknown): DeploymentList | undefined {
  if (!isRecord(value)) return undefined
  const { ledger, version, entries } = value
  if (typeof ledger !== 'string' || !Number.isSafeInteger(version) || !Array.isArray(entries) || !entries.every(isRecord)) return undefined
  return { ledger, version: version as number, entries }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

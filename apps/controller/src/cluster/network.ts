import { CloudSigmaError } from '@ascribe/cloudsigma'
import type { CloudSigma } from '@ascribe/cloudsigma'
import type { AccountPin } from '../authority/pin.ts'

/** What became of the look at the VLAN that a cluster names. */
export type Network =
  | { readonly is: 'none' }
  | { readonly is: 'ready'; readonly message: string }
  | { readonly is: 'wrong'; readonly reason: string; readonly message: string }
  /** Not known now: looked at again. */
  | { readonly is: 'unknown'; readonly message: string }

/** How long the one GET may take. */
const DEADLINE_MS = 15_000

/**
 * Whether the account may use the VLAN. A VLAN of somebody else that is shared with this account will do: it is looked at, never changed,
 * and billed to whose it is (ADR 0087). Creating one is a subscription, and the owner's affair.
 * @throws what the authenticator throws: that is about the identity, and not about the VLAN
 */
export async function lookAtVlan(cloud: CloudSigma, { uuid, pin }: { readonly uuid: string; readonly pin: AccountPin }): Promise<Network> {
  try {
    const vlan = await cloud.vlans.get(uuid, { deadlineMs: DEADLINE_MS })
    if (vlan.owner?.uuid === pin.userUUID) return { is: 'ready', message: `VLAN ${uuid} is the account's own` }
    return { is: 'ready', message: `VLAN ${uuid} belongs to ${vlan.owner?.uuid ?? 'nobody known'} and is shared with this account` }
  } catch (error) {
    if (!(error instanceof CloudSigmaError)) throw error
    switch (error.fault.kind) {
      case 'notFound':
        return { is: 'wrong', reason: 'InvalidSpec', message: `VLAN ${uuid} does not exist in ${cloud.region} (spec.vlan.uuid)` }
      case 'acl':
      case 'forbidden':
      case 'scope':
        return {
          is: 'wrong',
          reason: 'ServerNotAccessible',
          message: `VLAN ${uuid} is not the account's, and is not shared with it (spec.vlan.uuid)`,
        }
      case 'validation':
        return { is: 'wrong', reason: 'InvalidSpec', message: `${JSON.stringify(uuid.slice(0, 80))} is no id of a VLAN (spec.vlan.uuid)` }
      default:
        return { is: 'unknown', message: error.message }
    }
  }
}

import { accessSync, constants } from 'node:fs'
import { InputError } from '@ascribe/kit'
import { isOwnSocket } from '@ascribe/service'
import { minterAddressOf } from '../cloud/minter-address.ts'
import type { CloudSettings } from '../cloud-settings.ts'
import type { Finding } from './examine.ts'

const what = 'minter'

/** What a process that has its tokens minted elsewhere needs for that; `undefined` where none is named. */
export function examineMinterAddress(cloud: CloudSettings): Finding | undefined {
  try {
    const address = minterAddressOf(cloud)
    if (address === undefined) return undefined
    if ('socketPath' in address) {
      if (isOwnSocket(address.socketPath)) return { what, state: 'fine', detail: address.socketPath }
      const detail = `${address.socketPath} is no socket of this user, in a folder that nobody else writes to`
      return { what, state: 'wrong', detail, mend: 'See whether `ascribe minter --socket` runs, as this user.' }
    }
    accessSync(address.tokenFile, constants.R_OK)
    return { what, state: 'fine', detail: address.url }
  } catch (error) {
    if (error instanceof InputError)
      return { what, state: 'wrong', detail: error.message, ...(error.hint !== undefined && { mend: error.hint }) }
    return { what, state: 'wrong', detail: `${cloud.minter_token_file} cannot be read`, mend: 'Mount the token: docs/guides/minter.md.' }
  }
}

import type { MinterAddress } from '@ascribe/controller'
import { InputError } from '@ascribe/kit'
import type { CloudSettings } from '../cloud-settings.ts'

/**
 * Where tokens are minted, if not in this process; `undefined`: here.
 * @throws {InputError} when the settings contradict each other, or leave the secret where it must not be
 */
export function minterAddressOf(cloud: CloudSettings): MinterAddress | undefined {
  const { minter_url: url, minter_socket: socketPath, minter_token_file: tokenFile } = cloud
  if (url === undefined && socketPath === undefined) return undefined
  if (cloud.client_secret !== undefined || cloud.client_secret_file !== undefined)
    throw new InputError('Cannot use a minter: this process is given the client secret too, which the minter alone should have', {
      hint: 'Take CLOUDSIGMA_CLIENT_SECRET and CLOUDSIGMA_CLIENT_SECRET_FILE away here, or CLOUDSIGMA_MINTER_URL and CLOUDSIGMA_MINTER_SOCKET.',
    })
  if (socketPath !== undefined) {
    if (url === undefined) return { socketPath }
    throw new InputError('Cannot use two minters: both CLOUDSIGMA_MINTER_URL and CLOUDSIGMA_MINTER_SOCKET are set')
  }
  if (url === undefined || URL.parse(url)?.protocol !== 'https:')
    throw new InputError('Cannot use a minter: CLOUDSIGMA_MINTER_URL is no https address', {
      hint: 'It is served over TLS, or on a socket.',
    })
  if (tokenFile === undefined)
    throw new InputError('Cannot use a minter: CLOUDSIGMA_MINTER_TOKEN_FILE is not set', {
      hint: 'A projected token of the service account, for the audience ascribe-minter: docs/guides/minter.md.',
    })
  return { url, tokenFile }
}

import { X509Certificate, generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import { MINTER_NAME } from '@ascribe/impersonation'
import { MINTER_CONFIG_MAP } from '@ascribe/kinds'
import type { KubeClient } from '@ascribe/kube'
import { selfSignedCertificate } from '@ascribe/service'
import type { ServerIdentity } from '@ascribe/service'
import { CONFIG_MAPS } from '../abandon/orphan-record.ts'
import { CA_KEY } from './minter-address.ts'

const KEY_BITS = 2048
/** For a caller whose clock is behind. */
const BACKDATED_MS = 3_600_000

/** A key that is in the memory of this process alone, with a certificate that it signs itself. */
export async function makeIdentity(now: number): Promise<ServerIdentity> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: KEY_BITS })
  const der = selfSignedCertificate({ publicKey, privateKey, commonName: MINTER_NAME, notBefore: now - BACKDATED_MS })
  return { cert: new X509Certificate(der).toString(), key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

/** Tells callers which certificate is this process's: only we and the platform may write there. */
export async function publishCertificate(kube: Pick<KubeClient, 'apply'>, { cert }: ServerIdentity, namespace: string): Promise<void> {
  const object = { metadata: { name: MINTER_CONFIG_MAP, namespace }, data: { [CA_KEY]: cert } }
  await kube.apply(CONFIG_MAPS, object, { fieldManager: 'ascribe-minter', force: true })
}

import { X509Certificate, generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import { MINTER_NAME } from '@ascribe/impersonation'
import { MINTER_CONFIG_MAP } from '@ascribe/kinds'
import type { Logger } from '@ascribe/kit'
import type { Clocks, KubeClient } from '@ascribe/kube'
import { selfSignedCertificate } from '@ascribe/service'
import type { ServerIdentity } from '@ascribe/service'
import { CONFIG_MAPS } from '../abandon/orphan-record.ts'

const KEY_BITS = 2048
/** For a caller whose clock is behind. */
const BACKDATED_MS = 3_600_000
/** Where it is in the ConfigMap. */
const CA_KEY = 'ca.crt'
const DEADLINE_MS = 10_000
const LOOK_MS = 60_000

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

/** The certificate that a namespace's minter has published; empty: none. */
export async function publishedCertificate(kube: Pick<KubeClient, 'get'>, namespace: string): Promise<string> {
  const { data } = await kube.get(CONFIG_MAPS, { namespace, name: MINTER_CONFIG_MAP }, { deadlineMs: DEADLINE_MS })
  const text = (data as Readonly<Record<string, unknown>> | undefined)?.[CA_KEY]
  return typeof text === 'string' ? text : ''
}

type Keeping = { readonly namespace: string; readonly clocks: Clocks; readonly logger: Logger }

/**
 * Publishes the certificate again when it is gone: a ConfigMap that was deleted and applied anew is empty, and no caller that starts then would
 * find us. One of another minter stays: of two, the one that started last is the one that callers are sent to.
 */
export function keepPublished(
  kube: Pick<KubeClient, 'get' | 'apply'>,
  identity: ServerIdentity,
  { namespace, clocks, logger }: Keeping,
): Disposable {
  let timer: Disposable | undefined
  const later = (): void => {
    timer = clocks.timer(LOOK_MS, () => void look())
  }
  const look = async (): Promise<void> => {
    try {
      if ((await publishedCertificate(kube, namespace)) === '') {
        await publishCertificate(kube, identity, namespace)
        logger.warn('the published certificate was gone, and is there again', { namespace })
      }
    } catch (error) {
      logger.warn('whether the certificate is published could not be seen', { namespace, error })
    }
    if (timer !== undefined) later()
  }
  later()
  return {
    [Symbol.dispose]() {
      timer?.[Symbol.dispose]()
      timer = undefined
    },
  }
}

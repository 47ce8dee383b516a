import { randomBytes } from 'node:crypto'
import { PROOF_SECRET } from '@ascribe/kinds'
import { SECRETS, isKubeError } from '@ascribe/kube'
import type { KubeClient, Secret } from '@ascribe/kube'
import { ProofKeyError } from './errors.ts'

const KEY = 'proof-key'
const KEY_BYTES = 32

/**
 * The key of the proof in servers' meta (H-9): one for an installation, in a Secret of our own namespace, made by whoever comes first.
 * Another key would make every server that stands a stranger, so that one that cannot be read stops the process.
 * @throws {ProofKeyError} and what the API server refuses
 */
export async function readProofKey(kube: Pick<KubeClient, 'tryGet' | 'create'>, namespace: string): Promise<string> {
  const key = { namespace, name: PROOF_SECRET }
  const found = await kube.tryGet(SECRETS, key)
  if (found !== undefined) return keyIn(found)
  const made = randomBytes(KEY_BYTES).toString('base64url')
  try {
    await kube.create(SECRETS, { metadata: key, type: 'Opaque', data: { [KEY]: Buffer.from(made).toString('base64') } })
    return made
  } catch (error) {
    if (!isKubeError(error, 'AlreadyExists')) throw error
    const first = await kube.tryGet(SECRETS, key)
    if (first === undefined) throw error
    return keyIn(first)
  }
}

function keyIn({ metadata, data }: Secret): string {
  const text = Buffer.from(data?.[KEY] ?? '', 'base64').toString('utf8')
  if (text.length >= KEY_BYTES) return text
  throw new ProofKeyError(
    `Cannot use Secret ${metadata.namespace}/${metadata.name}: its ${KEY} is missing or short; restore it, servers in the cloud are marked with it`,
  )
}

import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readOrMakeSecretFile } from '@ascribe/identity'
import { formatInstant } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { AuditKeyError } from '../errors.ts'
import { canonicalJson } from '../money/canonical-json.ts'
import type { Chain } from './entry.ts'

/** The end of a chain, and our word that it was the end at an instant. Whoever keeps one can tell later if anything before it was changed or cut off. */
export type SignedHead = {
  readonly chain: Chain
  readonly sequence: number
  /** Of the last line, lower-case hex. */
  readonly hash: string
  /** RFC 3339. */
  readonly at: string
  readonly keyId: string
  /** Ed25519 (RFC 8032), base64url. */
  readonly signature: string
}

export type UnsignedHead = { readonly chain: Chain; readonly sequence: number; readonly hash: string }

/** An older key's word for a newer one. */
export type Endorsement = { readonly keyId: string; readonly signature: string }

/** Signs heads. Holds the private key, which is never in the database. */
export type AuditSigner = {
  readonly keyId: string
  /** 32 bytes, base64url. */
  readonly publicKey: string
  /** By the keys before it, where they are still there: who trusts one of them can trust this one. */
  readonly endorsements: readonly Endorsement[]
  signHead(head: UnsignedHead, at: Instant): SignedHead
}

const KEYS_MAX = 8
const PEM = /-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----/g

/** The raw 32 bytes, base64url. */
function rawPublicKey(key: KeyObject): string {
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  return x ?? ''
}

/** Tells keys apart: the first 16 hex digits of the SHA-256 of the public key. */
export function auditKeyId(publicKey: string): string {
  return createHash('sha256').update(Buffer.from(publicKey, 'base64url')).digest('hex').slice(0, 16)
}

function headText({ chain, sequence, hash, at, keyId }: Omit<SignedHead, 'signature'>): Buffer {
  return Buffer.from(`ascribe-audit-head-1\n${chain}\n${sequence}\n${hash}\n${at}\n${keyId}`)
}

function endorsementText(publicKey: string): Buffer {
  return Buffer.from(`ascribe-audit-key-1\n${publicKey}`)
}

/**
 * A signer of the private keys in a PEM text: the first one signs, those after it, which signed before, vouch for it. `source` names where the
 * text came from, for the error. @throws {AuditKeyError}
 */
export function parseAuditSigner(pem: string, source: string): AuditSigner {
  const blocks = [...pem.matchAll(PEM)].map(([block]) => block)
  if (blocks.length === 0 || blocks.length > KEYS_MAX) {
    throw new AuditKeyError(
      `Cannot use the audit key in ${source}: it holds ${blocks.length} PEM blocks, and has to hold 1 to ${KEYS_MAX}`,
      {
        hint: 'Make one with `openssl genpkey -algorithm ed25519`; put a new one before the old one to replace it.',
      },
    )
  }
  const [current, ...former] = blocks.map((block) => privateKey(block, source))
  if (current === undefined) throw new Error('no key')
  const publicKey = rawPublicKey(current)
  const keyId = auditKeyId(publicKey)
  const endorsements = former.map((key) => ({
    keyId: auditKeyId(rawPublicKey(key)),
    signature: sign(null, endorsementText(publicKey), key).toString('base64url'),
  }))
  return {
    keyId,
    publicKey,
    endorsements,
    signHead(head, at) {
      const unsigned = { ...head, at: formatInstant(at), keyId }
      return { ...unsigned, signature: sign(null, headText(unsigned), current).toString('base64url') }
    },
  }
}

function privateKey(block: string, source: string): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey(block)
  } catch {
    // No cause: it may quote the key.
    throw new AuditKeyError(`Cannot use the audit key in ${source}: a PEM block is no private key`)
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new AuditKeyError(
      `Cannot use the audit key in ${source}: it is of type ${key.asymmetricKeyType ?? 'unknown'}, and has to be Ed25519`,
      {
        hint: 'Make one with `openssl genpkey -algorithm ed25519`.',
      },
    )
  }
  return key
}

/**
 * The signer of the key file at `path`, which is made on first use, readable by its owner alone, and never half written. Whoever loses the
 * file can make a new key; whoever steals it, and can write to the database, can rewrite the trail since the last head that somebody kept.
 * @throws {AuditKeyError}
 */
export function readAuditSigner(path: string): AuditSigner {
  const text = readOrMakeSecretFile(path, {
    make: () => String(generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' })),
    cannotRead: (cause) => new AuditKeyError(`Cannot read the audit key at ${path}`, { cause }),
    cannotStore: (cause) => new AuditKeyError(`Cannot store the audit key at ${path}`, { cause }),
  })
  return parseAuditSigner(text, path)
}

/** Public keys by key id. */
export type AuditPublicKeys = ReadonlyMap<string, string>

/** Public keys of a PEM text, or as 43 characters of base64url, one a line; of a private key its public one. @throws {AuditKeyError} */
export function parseAuditPublicKeys(text: string, source: string): AuditPublicKeys {
  const keys = new Map<string, string>()
  const add = (publicKey: string): unknown => keys.set(auditKeyId(publicKey), publicKey)
  for (const [block] of text.matchAll(PEM)) {
    const key = publicKeyOf(block)
    if (key?.asymmetricKeyType !== 'ed25519') throw new AuditKeyError(`Cannot use the keys in ${source}: a PEM block is no Ed25519 key`)
    add(rawPublicKey(key))
  }
  for (const word of text.replaceAll(PEM, ' ').split(/\s+/)) if (/^[\w-]{43}$/.test(word)) add(word)
  if (keys.size === 0) {
    throw new AuditKeyError(`Cannot use the keys in ${source}: it holds none`, {
      hint: 'Give the public key as PEM, or the 43 characters that the trail names it with.',
    })
  }
  return keys
}

function publicKeyOf(block: string): KeyObject | undefined {
  try {
    return createPublicKey(block)
  } catch {
    return undefined
  }
}

function keyObject(publicKey: string): KeyObject | undefined {
  try {
    return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' })
  } catch {
    return undefined
  }
}

/** Whether a head was signed with this very key. */
export function isHeadOf(head: SignedHead, publicKey: string): boolean {
  const key = keyObject(publicKey)
  const signature = Buffer.from(head.signature, 'base64url')
  // One text for one signature: the last character has bits to spare.
  if (key === undefined || auditKeyId(publicKey) !== head.keyId || signature.toString('base64url') !== head.signature) return false
  return verify(null, headText(head), key, signature)
}

/** Whether the key vouches for another one. */
export function isEndorsedBy(publicKey: string, endorser: string, signature: string): boolean {
  const key = keyObject(endorser)
  return key !== undefined && verify(null, endorsementText(publicKey), key, Buffer.from(signature, 'base64url'))
}

/** The line in which a chain names the key that its heads are signed with from there on. */
export function keyBody({ keyId, publicKey, endorsements }: AuditSigner, at: Instant): string {
  return canonicalJson({
    v: 1,
    kind: 'key',
    at: formatInstant(at),
    actor: { kind: 'system', id: 'ascribe', via: 'process' },
    detail: { keyId, publicKey, ...(endorsements.length > 0 && { endorsements }) },
  })
}

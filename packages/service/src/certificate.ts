import { type KeyObject, sign } from 'node:crypto'
import { bits, integer, nothing, objectId, sequence, set, text, utcTime } from './der.ts'

const COMMON_NAME = [0x55, 0x04, 0x03]
const SHA256_WITH_RSA = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b]
const TEN_YEARS_MS = 10 * 365 * 24 * 3600 * 1000

export type CertificateOptions = {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
  readonly commonName: string
  /** Epoch milliseconds. It is valid for ten years from here. */
  readonly notBefore: number
}

/** A self-signed X.509 v1 certificate in DER, as Keycloak puts one beside every key of its JWKS (RFC 7517 section 4.7). */
export function selfSignedCertificate({ publicKey, privateKey, commonName, notBefore }: CertificateOptions): Buffer {
  const algorithm = sequence(objectId(SHA256_WITH_RSA), nothing())
  const name = sequence(set(sequence(objectId(COMMON_NAME), text(commonName))))
  const body = sequence(
    integer(BigInt(Math.floor(notBefore))),
    algorithm,
    name,
    sequence(utcTime(notBefore), utcTime(notBefore + TEN_YEARS_MS)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  )
  return sequence(body, algorithm, bits(sign('sha256', body, privateKey)))
}

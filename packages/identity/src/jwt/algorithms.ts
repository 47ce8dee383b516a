/** Signatures that an issuer may use (RFC 7518 section 3.1, RFC 8037). None with a shared secret, and no "none": there is no mode without proof. */
export const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'] as const
export type Algorithm = (typeof ALGORITHMS)[number]

export function isAlgorithm(text: unknown): text is Algorithm {
  return ALGORITHMS.some((algorithm) => algorithm === text)
}

/** What kind of key an algorithm needs: `kty` and, but for RSA, `crv` of a JWK. */
export function keyKindOf(algorithm: Algorithm): { readonly kty: string; readonly crv?: string } {
  switch (algorithm) {
    case 'ES256':
      return { kty: 'EC', crv: 'P-256' }
    case 'ES384':
      return { kty: 'EC', crv: 'P-384' }
    case 'ES512':
      return { kty: 'EC', crv: 'P-521' }
    case 'EdDSA':
    case 'Ed25519':
      return { kty: 'OKP', crv: 'Ed25519' }
    case 'RS256':
    case 'RS384':
    case 'RS512':
    case 'PS256':
    case 'PS384':
    case 'PS512':
      return { kty: 'RSA' }
  }
}

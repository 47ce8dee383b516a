let serial = 0

/** A JWT of these claims, signed by nobody. */
export function jwtOf(claims: Readonly<Record<string, unknown>>): string {
  serial += 1
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'RS256', typ: 'JWT' })}.${part({ jti: `jti-${serial}`, ...claims })}.c2lnbmF0dXJl`
}

import { createPublicKey, verify } from 'node:crypto'

export type Decoded = { readonly header: Readonly<Record<string, unknown>>; readonly claims: Readonly<Record<string, unknown>> }

/** A token's parts, without checking anything. */
export function decode(token: string): Decoded {
  const [head = '', body = ''] = token.split('.')
  const read = (part: string): Readonly<Record<string, unknown>> =>
    JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
  return { header: read(head), claims: read(body) }
}

/** Which keys of a JWKS have signed a token: written apart from what signs, with nothing of it. */
export async function signersOf(token: string, jwksUrl: string): Promise<readonly Readonly<Record<string, string>>[]> {
  const { keys } = (await (await fetch(jwksUrl)).json()) as { readonly keys: readonly Readonly<Record<string, string>>[] }
  const [head = '', body = '', signature = ''] = token.split('.')
  return keys.filter((jwk) =>
    verify(
      'sha256',
      Buffer.from(`${head}.${body}`),
      createPublicKey({ key: { ...jwk }, format: 'jwk' }),
      Buffer.from(signature, 'base64url'),
    ),
  )
}

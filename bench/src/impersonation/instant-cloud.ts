import { SealedText, constantSecret, createIssuer, createRegionTable, createTokenSource } from '@ascribe/impersonation'
import type { MintSteps, TokenClock, TokenMeters, TokenRequest, TokenResponse, TokenSource } from '@ascribe/impersonation'

export type InstantOptions = {
  readonly tokenBytes: number
  readonly lifeMs: number
  readonly clock?: TokenClock
  readonly meters?: TokenMeters
  readonly random?: () => number
}

function uuidOf(owner: number): string {
  return `00000000-0000-4000-8000-${String(owner).padStart(12, '0')}`
}

export function ownerOf(owner: number): TokenRequest {
  return { ownerUuid: uuidOf(owner), ownerEmail: `user${owner}@example.com`, region: 'zrh', bindingGeneration: 1 }
}

/** A source whose steps answer at once, so that what is measured is the source. */
export function sourceOf({ tokenBytes, lifeMs, ...rest }: InstantOptions): TokenSource {
  return createTokenSource({
    issuer: createIssuer({ oauthUrl: 'https://oauth.example' }),
    clientId: 'bench',
    secret: constantSecret('bench'),
    regions: createRegionTable({ regions: ['zrh'] }),
    audit: () => Promise.resolve(),
    steps: instantSteps(tokenBytes, lifeMs),
    limits: { sweepMs: 0 },
    ...rest,
  })
}

function instantSteps(tokenBytes: number, lifeMs: number): MintSteps {
  const answer = (text: string): Promise<TokenResponse> =>
    Promise.resolve({ token: new SealedText(text.padEnd(tokenBytes, 'x')), lifeMs, lifeFrom: 'expires_in', claims: undefined })
  return {
    serviceToken: () => answer('sa'),
    rpt: () => answer('rpt'),
    impersonate: ({ ownerEmail }) => answer(`${ownerEmail} `),
    profile: ({ token }) => {
      const email = token.reveal().split(' ', 1)[0] ?? ''
      const owner = Number(/\d+/.exec(email)?.[0])
      return Promise.resolve({ uuid: uuidOf(owner), email, state: 'REGULAR', requestId: undefined })
    },
  }
}

import type { KeyScope } from '../route.ts'

/** What an API key is made from. */
export type NewKey = {
  readonly name: string
  readonly scopes: readonly KeyScope[]
  readonly userId?: string | undefined
  readonly groupId?: string | undefined
  readonly expiresAt?: string | undefined
}

/** Shown once: nobody can ever read the secret again. */
export type MadeKey = {
  readonly id: string
  /** What its usage is attributed to; the same as the id. */
  readonly authId: string
  readonly secret: string
  readonly expiresAt?: string | undefined
}

export type KeyParams = { readonly id: string; readonly keyId: string }

export type RotateKey = {
  /** For how long the secrets before work beside the new one. */
  readonly overlapSeconds: number
  /** Null: the new one has no end. Default: as long as the one before it was meant to live. */
  readonly expiresAt?: string | null | undefined
}

export type RotatedKey = MadeKey & { readonly oldEndsAt?: string | undefined }

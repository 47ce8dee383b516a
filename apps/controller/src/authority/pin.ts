import { z } from 'zod'

/** Whose account a machine is in, as it is written on it before anything is minted or made (annotation `ascribe.dev/account`). Never rewritten. */
export type AccountPin = {
  readonly kind: 'Owner' | 'PlatformAccount' | 'Legacy'
  readonly userUUID: string
  readonly region: string
  /** Name of the binding that was selected. Another live one of the same namespace and user serves as well. */
  readonly binding?: string | undefined
  /** Of a `PlatformAccount`: the impersonator whose table has the region's host. */
  readonly impersonator?: string | undefined
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const PinSchema = z.strictObject({
  kind: z.enum(['Owner', 'PlatformAccount', 'Legacy']),
  userUUID: z.string().toLowerCase().regex(UUID),
  region: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/),
  binding: z.string().max(253).optional(),
  impersonator: z.string().max(253).optional(),
})

/** As it stands in the annotation: keys in one order. */
export function formatPin({ kind, userUUID, region, binding, impersonator }: AccountPin): string {
  return JSON.stringify({ kind, userUUID, region, binding, impersonator })
}

/** `undefined` for what is no pin: then nothing may be done, and least of all may it be chosen again. */
export function parsePin(text: string): AccountPin | undefined {
  try {
    return PinSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

import { z } from 'zod'

/** Pieces that definitions have in common. */
export const instant: z.ZodISODateTime = z.iso.datetime()

/** An exact amount that is not negative. */
export const amount: z.ZodType<string, string> = z
  .string()
  .regex(/^\d{1,20}(\.\d{1,18})?$/, 'must be a decimal number as a string, such as "99.50"')

export function text(max = 200): z.ZodType<string, string> {
  return z
    .string()
    .min(1)
    .max(max)
    .refine((value) => !value.includes('\0'), 'must not hold NUL')
}

/** An id of the platform's own: whatever it uses. */
export const externalId: z.ZodType<string, string> = text(200)

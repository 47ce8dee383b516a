import { z } from 'zod'
import type { DecimalText } from '../types.ts'

/*
 * What schemas of reads are made of. Query dates are bare UTC days, both inclusive; replies have half-open periods of instants (R22).
 */

/** Keys of one filter at most. */
const KEYS_MAX = 100
const KEY_LENGTH_MAX = 1024
const CURSOR_LENGTH_MAX = 8192

export const decimalText: z.ZodType<DecimalText> = z
  .string()
  .regex(/^-?\d+(\.\d+)?$/)
  .meta({
    id: 'ExactDecimal',
    description: 'A decimal number as a string, so that no reader rounds it. Of money: in the currency that stands beside it.',
  })
export const quantityText: z.ZodType<string> = z
  .string()
  .regex(/^-?\d+$/)
  .meta({ id: 'QuantityText', description: 'A whole number of any size, as a string.' })
export const currency: z.ZodType<string> = z
  .string()
  .regex(/^[A-Z]{3}$/)
  .meta({ description: 'ISO 4217.' })
export const instant: z.ZodType<string> = z.iso.datetime().meta({ description: 'RFC 3339, UTC.' })
export const count: z.ZodType<number> = z.int().min(0)
export const nextCursor: z.ZodType<string | undefined> = z
  .string()
  .optional()
  .meta({ description: 'Pass it as `cursor` for the next page; absent on the last.' })

/** A UTC day of a query. */
export const day: z.ZodType<string> = z.iso.date().meta({ description: 'A UTC day, inclusive.', examples: ['2026-11-22'] })
export const month: z.ZodType<string> = z
  .string()
  .regex(/^(19[7-9]|2[01]\d)\d-(0[1-9]|1[0-2])$/, 'must be a month, YYYY-MM')
  .meta({ examples: ['2026-11'] })

/** An id or a name in a query: PostgreSQL holds every character but NUL. */
const key: z.ZodType<string> = z
  .string()
  .max(KEY_LENGTH_MAX)
  .regex(/^[^\0]*$/, 'must not hold NUL')

/** One key, or several by repeating the parameter. */
export const keys: z.ZodType<readonly string[] | undefined, unknown> = z
  .union([key, z.array(key).min(1).max(KEYS_MAX)])
  .transform((given) => (typeof given === 'string' ? [given] : given))
  .optional()
  .meta({ description: 'Any of these; repeat the parameter for several. Empty: those that have none.' })

/** One of these words, or several by repeating the parameter. */
export function someOf<Word extends string>(of: readonly Word[]): z.ZodType<readonly Word[] | undefined, unknown> {
  return z
    .union([z.enum(of), z.array(z.enum(of)).min(1).max(of.length)])
    .transform((given) => (typeof given === 'string' ? [given] : given))
    .optional()
    .meta({ description: 'Any of these; repeat the parameter for several.' })
}

export const flag: z.ZodType<boolean, unknown> = z
  .enum(['true', 'false'])
  .default('false')
  .transform((text) => text === 'true')

export const cursor: z.ZodType<string | undefined> = z
  .string()
  .max(CURSOR_LENGTH_MAX)
  .optional()
  .meta({ description: '`nextCursor` of the page before, with the same query.' })

/** The size of a page. */
export function limit(options: { readonly max: number; readonly otherwise: number }): z.ZodType<number, unknown> {
  return z.coerce.number().int().min(1).max(options.max).default(options.otherwise)
}

/** Some of these words, each once, with commas between them; or the parameter repeated, as the typed client sends them. */
export function words<Word extends string>(of: readonly Word[]): z.ZodType<readonly Word[], unknown> {
  const one = `(?:${of.join('|')})`
  const text = z
    .string()
    .max(500)
    .regex(new RegExp(`^(?:${one}(?:,${one})*)?$`), `must be some of ${of.join(', ')}, with commas between them`)
  return (
    z
      .union([text, z.array(z.enum(of)).min(1).max(of.length)])
      .default('')
      // The pattern lets nothing else through.
      .transform((given) => (typeof given !== 'string' ? given : given === '' ? [] : (given.split(',') as Word[])))
      .refine((names) => new Set(names).size === names.length, 'must not name one twice')
  )
}

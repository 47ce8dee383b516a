import { z } from 'zod'
import { secret } from '@ascribe/service'
import type { Secret } from '@ascribe/service'

/** The audit trail. */
export type AuditSettings = {
  /** Ed25519 private keys as PEM, the newest first: the first signs. Absent: a file in the data directory, made on first use. */
  readonly key?: Secret | undefined
}

export const AuditSchema: z.ZodType<AuditSettings, unknown> = z.strictObject({ key: secret().optional() }).prefault({})

import { z } from 'zod'
import { REDACTIONS } from '@ascribe/gateway/body-log'
import type { BodyLogSettings, Redaction } from '@ascribe/gateway/body-log'
import { byteSize, durationMs } from '@ascribe/service'

/** What gateways keep of bodies of those whose terms say so: settings under `body_log`. */
export type BodyLogConfig = {
  /** Off: nothing is kept, whatever terms say. */
  readonly enabled: boolean
  /** Bytes, of request and reply each. */
  readonly body_size: number
  /** Milliseconds. */
  readonly retention: number
  /** Bytes. */
  readonly disk_size: number
  readonly redact: readonly Redaction[]
  readonly redact_members: readonly string[]
}

const HOUR_MS = 3_600_000

export const BodyLogSchema: z.ZodType<BodyLogConfig, unknown> = z
  .strictObject({
    enabled: z.boolean().default(false),
    body_size: byteSize()
      .refine((size) => size >= 1 && size <= 1024 ** 2, 'must be from 1 byte to 1MiB')
      .default(64 * 1024),
    retention: durationMs()
      .refine((ms) => ms >= HOUR_MS, 'must be at least 1h')
      .default(7 * 24 * HOUR_MS),
    disk_size: byteSize()
      .refine((size) => size >= 1024 ** 2, 'must be at least 1MiB')
      .default(1024 ** 3),
    redact: z.array(z.enum(REDACTIONS)).default([...REDACTIONS]),
    redact_members: z.array(z.string().min(1)).default([]),
  })
  .prefault({})

/** As the gateway takes it; `undefined`: it is off. */
export function bodyLogOf(settings: BodyLogConfig): BodyLogSettings | undefined {
  if (!settings.enabled) return undefined
  return {
    bodyBytesMax: settings.body_size,
    retentionMs: settings.retention,
    diskBytesMax: settings.disk_size,
    redact: settings.redact,
    redactMembers: settings.redact_members,
  }
}

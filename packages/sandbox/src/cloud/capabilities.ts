import type { Reply } from '../oauth/http.ts'
import { type ApiRequest, ok } from './api-request.ts'
import type { Range } from './fields.ts'

/** MHz of a whole server. */
export const CPU: Range = { min: 250, max: 96_000 }
export const SMP: Range = { min: 1, max: 32 }
/** MHz of one core. */
export const CPU_PER_SMP: Range = { min: 1000, max: 3000 }
/** Bytes. */
export const MEM: Range = { min: 268_435_456, max: 558_345_748_480 }
export const DRIVE_SIZE: Range = { min: 536_870_912, max: 15_492_389_427_364 }
/** Sizes are rounded up to a multiple of so many bytes: 1207959631 becomes 1207975936. */
export const DRIVE_BLOCK_BYTES = 16_384

/** `GET /capabilities/`: the limits that creates are checked against. */
export function getCapabilities(_request: ApiRequest): Reply {
  const host = { cpu: CPU, cpu_per_smp: { ...CPU_PER_SMP, max: 2893 }, mem: MEM, smp: SMP }
  const iops = { base: 30_000, max: 60_000, min: 1 }
  return ok({
    backfilling: false,
    card_backend: 'StripeBackend',
    currencies: ['CHF', 'USD', 'EUR', 'GBP'].map((id) => ({ id, name: id.toLowerCase() })),
    default_inactive_period: 45,
    default_storage_type: 'dssd',
    drives: { dssd: { iops, max_size: DRIVE_SIZE.max, min_size: DRIVE_SIZE.min, size: DRIVE_SIZE } },
    hosts: { amd: host, intel: { ...host, cpu_per_smp: CPU_PER_SMP } },
    hypervisors: { kvm: ['intel', 'amd'] },
    inactive_period_range: { max: 250, min: 0 },
    servers: {
      cpu: CPU,
      cpu_per_smp: CPU_PER_SMP,
      default_start_method: 'regular',
      mem: MEM,
      smp: SMP,
      start_methods: ['eager', 'lazy', 'regular'],
    },
    snapshots: { current: 0, max: 700, max_per_drive: 90 },
  })
}

import { BlockList, isIP } from 'node:net'
import { z } from 'zod'
import { type HostPort, hostPortText } from './listen.ts'
import { Secret } from './secret.ts'

// Codecs, so that what is in force can be printed the way it is written.

const DURATION_MS_MAX = 2 ** 31 - 1
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  TB: 1000 ** 4,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
}
const BINARY_BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 }

/** A duration, `250ms`, `30s`, `10m`, `2h`, `1d` or a number of milliseconds, as milliseconds: 0 to 24 days, which is what a timer takes. */
export function durationMs(): z.ZodType<number> {
  const message = 'must be a duration such as 30s, 10m or 250ms, at most 24d'
  return quantity(message, { units: UNIT_MS, written: UNIT_MS, bare: 'ms', max: DURATION_MS_MAX })
}

/** A size, `4MiB`, `10MB`, `512KiB` or a number of bytes, as bytes. */
export function byteSize(): z.ZodType<number> {
  const message = 'must be a size such as 4MiB, 512KiB or 10MB, in whole bytes'
  return quantity(message, { units: UNIT_BYTES, written: BINARY_BYTES, bare: 'B', max: Number.MAX_SAFE_INTEGER })
}

type Units = Readonly<Record<string, number>>
type Quantity = { readonly units: Units; readonly written: Units; readonly bare: string; readonly max: number }

function quantity(message: string, { units, written, bare, max }: Quantity): z.ZodType<number> {
  return z.codec(z.union([z.string(), z.number()], message), z.number(), {
    decode(text, context) {
      const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)?$/.exec(String(text).trim())
      const value = match ? Number(match[1]) * (units[match[2] ?? bare] ?? Number.NaN) : Number.NaN
      return Number.isSafeInteger(value) && value <= max ? value : refuse(context, text, message)
    },
    encode(value) {
      const [unit, size] = Object.entries(written).findLast(([, each]) => value >= each && value % each === 0) ?? [bare, 1]
      return `${value / size}${unit}`
    },
  })
}

/** Where to listen or to go, `127.0.0.1:8080`, `[::1]:8080`, `host:8080`. Port 0 takes a free one. */
export function hostPort(): z.ZodType<HostPort> {
  const message = 'must be host:port, such as 127.0.0.1:8080 or [::1]:8080'
  return z.codec(z.string(message), z.custom<HostPort>(), {
    decode(text, context) {
      const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text.trim())
      const port = Number(match?.[3])
      const host = match?.[1] ?? match?.[2]
      const isAddress = match?.[1] === undefined || isIP(match[1]) === 6
      return host !== undefined && isAddress && port <= 65_535 ? { host, port } : refuse(context, text, message)
    },
    encode: hostPortText,
  })
}

/** Networks, a list or one text with commas: `10.0.0.0/8`, `::1/128`, or single addresses. */
export function cidrList(): z.ZodType<readonly string[]> {
  const message = 'must be networks such as 10.0.0.0/8 or ::1/128'
  return z.codec(z.union([z.string(), z.array(z.string())], message), z.array(z.string()).readonly(), {
    decode(value, context) {
      const networks = (typeof value === 'string' ? value.split(',') : value).map((text) => text.trim()).filter((text) => text !== '')
      const wrong = networks.find((network) => !isNetwork(network))
      return wrong === undefined ? networks : refuse(context, value, `${message}; ${JSON.stringify(wrong)} is none`)
    },
    encode: (networks) => networks.join(', '),
  })
}

function isNetwork(network: string): boolean {
  const [address = '', prefix, ...rest] = network.split('/')
  const family = isIP(address)
  if (family === 0 || rest.length > 0) return false
  if (prefix === undefined) return true
  if (!/^\d{1,3}$/.test(prefix)) return false
  try {
    new BlockList().addSubnet(address, Number(prefix), family === 4 ? 'ipv4' : 'ipv6')
    return true
  } catch {
    return false
  }
}

const isSecretValue = (value: unknown): boolean => value instanceof Secret

/**
 * A {@link Secret}. In the file it is never written out: `{ env: NAME }` or `{ file: PATH }` say where it is. From the
 * environment it is the variable itself, or a file that the variable of that name with `_FILE` names.
 */
export function secret(): z.ZodType<Secret> {
  return z.custom<Secret>(isSecretValue, 'must be { env: NAME } or { file: PATH }')
}

/** Whether a schema is {@link secret}, also when it was described or refined. */
export function isSecretSchema(schema: z.core.$ZodType): boolean {
  const { def } = schema._zod
  return def.type === 'custom' && 'fn' in def && def.fn === isSecretValue
}

function refuse(context: z.core.ParsePayload, input: unknown, message: string): never {
  context.issues.push({ code: 'custom', message, input })
  return z.NEVER
}

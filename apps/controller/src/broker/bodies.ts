import { isUuid } from '@ascribe/units'
import { z } from 'zod'
import { invalid } from './refusals.ts'

const GIB = 1024 ** 3
/** The reference driver's bounds: 1 GB to 10 TB. */
const SIZE = { min: GIB, max: 10 * 1024 * GIB }

const NewVolumeSchema = z.object({
  name: z.string().regex(/^[A-Za-z0-9]([-A-Za-z0-9._]{0,126})$/),
  size: z.int().min(SIZE.min).max(SIZE.max),
  media: z.literal('disk').optional(),
  storage_type: z
    .string()
    .regex(/^[a-z0-9_-]{1,40}$/)
    .optional(),
})
const NewVolumesSchema = z.union([
  z.object({ objects: z.tuple([NewVolumeSchema]) }).transform(({ objects: [only] }) => only),
  NewVolumeSchema,
])
const Uuid = z.string().refine(isUuid)
const DrivesSchema = z.object({
  drives: z.array(z.object({ drive: z.union([Uuid, z.object({ uuid: Uuid }).transform(({ uuid }) => uuid)]) })).max(32),
})

export type NewVolume = { readonly name: string; readonly size: number; readonly storageType?: string }

/** Of `POST drives/`. Whatever else stands in it, meta and tags above all, is not taken. @throws {BrokerRefusal} 400 */
export function readNewVolume(body: string): NewVolume {
  const {
    name,
    size,
    storage_type: storageType,
  } = checked(NewVolumesSchema, body, 'one volume with name, size (1 GiB to 10 TiB in bytes) and storage_type')
  return { name, size, ...(storageType !== undefined && { storageType }) }
}

/** Drives that a server shall have, of `PUT servers/UUID/`. Nothing else of the body is looked at. @throws {BrokerRefusal} 400 */
export function readDrives(body: string): readonly string[] {
  return checked(DrivesSchema, body, 'drives: [{"drive": "<uuid>"}, …]').drives.map(({ drive }) => drive)
}

/** Bytes, of an action `resize`. @throws {BrokerRefusal} 400 */
export function readSize(body: string): number {
  return checked(z.object({ size: NewVolumeSchema.shape.size }), body, 'a size in bytes, 1 GiB to 10 TiB').size
}

function checked<Out>(schema: z.ZodType<Out>, text: string, what: string): Out {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw invalid('Cannot read the body: it is no JSON')
  }
  const result = schema.safeParse(parsed)
  if (!result.success) throw invalid(`Cannot take the body: it must be ${what}`)
  return result.data
}

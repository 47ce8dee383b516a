import { z } from 'zod'
import type { RouteDef } from '../route.ts'
import { NoQuerySchema, OrganizationParamsSchema } from '../schemas.ts'
import type { NoQuery, OrganizationParams } from '../types.ts'
import type { KeyParams, MadeKey, NewKey, RotateKey, RotatedKey } from './key-types.ts'
import { externalId, instant, text } from './shapes.ts'

/** A month: longer overlaps are two keys. */
const OVERLAP_SECONDS_MAX = 31 * 86_400

const KeyParamsSchema: z.ZodType<KeyParams, unknown> = z.strictObject({
  id: z.string().meta({ description: "The organization's id." }),
  keyId: z.string().min(1).max(200).meta({ description: 'The id of the key: its auth id.' }),
})

const made = {
  id: z.string(),
  authId: z.string().meta({ description: 'What its usage is attributed to; the same as the id.' }),
  secret: z.string().meta({ description: 'The key. Shown once: nobody can read it again.' }),
  expiresAt: instant.optional(),
}

const WRITE = {
  method: 'POST',
  listeners: ['public', 'admin'],
  subject: 'organization',
  needs: { role: 'admin', platform: 'platform:write' },
  query: NoQuerySchema,
} as const

export const createKey: RouteDef<OrganizationParams, NoQuery, NewKey, MadeKey> = {
  ...WRITE,
  operationId: 'createKey',
  summary: 'Makes an API key of an organization, and shows its secret once.',
  path: '/v1/organizations/{id}/credentials',
  params: OrganizationParamsSchema,
  body: z.strictObject({
    name: text(),
    scopes: z
      .array(z.enum(['inference', 'billing:read', 'usage:write']))
      .min(1)
      .max(3)
      .default(['inference', 'billing:read']),
    userId: externalId.optional().meta({ description: 'Who uses it.' }),
    groupId: externalId.optional().meta({ description: 'In which group of the organization.' }),
    expiresAt: instant.optional(),
  }),
  reply: z.strictObject(made).meta({ id: 'MadeKey' }),
  status: 201,
}

export const rotateKey: RouteDef<KeyParams, NoQuery, RotateKey, RotatedKey> = {
  ...WRITE,
  operationId: 'rotateKey',
  summary: 'Gives an API key a new secret, shown once; the one before works beside it for a while.',
  path: '/v1/organizations/{id}/credentials/{keyId}/rotate',
  params: KeyParamsSchema,
  body: z.strictObject({
    overlapSeconds: z.int().min(0).max(OVERLAP_SECONDS_MAX).default(0),
    expiresAt: instant.nullable().optional(),
  }),
  reply: z.strictObject({ ...made, oldEndsAt: instant.optional() }).meta({ id: 'RotatedKey' }),
}

export const revokeKey: RouteDef<KeyParams, NoQuery, undefined, undefined> = {
  ...WRITE,
  operationId: 'revokeKey',
  summary: 'Ends an API key with all its secrets, at once and for ever. What it used stays attributed.',
  method: 'DELETE',
  path: '/v1/organizations/{id}/credentials/{keyId}',
  params: KeyParamsSchema,
}

export const KEY_ROUTES: readonly RouteDef[] = [createKey, rotateKey, revokeKey]

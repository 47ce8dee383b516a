import { z } from 'zod'
import { ANNOTATION_PREFIX } from '../names.ts'
import type { AccountStatus, Condition, OwnerSelection, TemplateMetadata, UserRef } from '../types.ts'
import type { Extensions, Rule } from './rule.ts'
import { immutable } from './rule.ts'

/** Kubernetes' longest name of an object. */
const NAME_LENGTH_MAX = 253
const LABEL_VALUE_LENGTH_MAX = 63
/** Conditions are capped so that an error text from outside cannot fill etcd (H-27); metav1 allows 32768. */
const MESSAGE_LENGTH_MAX = 4_096
const CONDITIONS_MAX = 32
/** RFC 5321: 254 with its brackets taken off. */
const EMAIL_LENGTH_MAX = 254
const LABELS_MAX = 64
const ANNOTATION_LENGTH_MAX = 16_384

/** Text of at most `max` characters. */
export function text(max: number, more: Extensions & { readonly pattern?: RegExp; readonly min?: number } = {}): z.ZodString {
  const { pattern, min, ...extensions } = more
  let schema = z.string().max(max)
  if (min !== undefined) schema = schema.min(min)
  if (pattern !== undefined) schema = schema.regex(pattern)
  return schema.meta(extensions)
}

/** A whole number that fits into a double, so that CEL and JavaScript agree on it. */
export function whole(min: number, max: number, description?: string): z.ZodInt {
  return z
    .int()
    .min(min)
    .max(max)
    .meta(description === undefined ? {} : { description })
}

export function objectName(description?: string): z.ZodString {
  return text(NAME_LENGTH_MAX, { min: 1, ...(description !== undefined && { description }) })
}

export const UUID: RegExp = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
/** H-3: nothing that could be a part of another URL. */
export const REGION: RegExp = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/
/** One @, printable ASCII around it: no blanks, no control characters, nothing that looks like another letter (H-6). */
const EMAIL: RegExp = /^[!-?A-~]+@[!-?A-~]+$/

export function uuid(description?: string): z.ZodString {
  return text(36, { pattern: UUID, ...(description !== undefined && { description }) })
}

export function region(description: string): z.ZodString {
  return text(32, { min: 1, pattern: REGION, description })
}

export function email(description: string): z.ZodString {
  return text(EMAIL_LENGTH_MAX, { min: 3, pattern: EMAIL, description })
}

export function instant(description: string): z.ZodString {
  return text(64, { format: 'date-time', description })
}

export const conditions: z.ZodType<readonly Condition[]> = z
  .array(
    z.object({
      type: text(316, {
        min: 1,
        pattern: /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$/,
      }),
      status: z.enum(['True', 'False', 'Unknown']),
      // Not required: what the reference provider wrote has no reason while it is True, and must stay writable.
      reason: text(1_024).exactOptional(),
      message: text(MESSAGE_LENGTH_MAX).exactOptional(),
      lastTransitionTime: text(64, { format: 'date-time' }),
      observedGeneration: whole(0, Number.MAX_SAFE_INTEGER).exactOptional(),
    }),
  )
  .max(CONDITIONS_MAX)
  .meta({
    description: 'What holds and why, in the shape of metav1. Ready sums up; each reason says what to do.',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['type'],
  })

export const account: z.ZodType<AccountStatus> = z
  .object({
    kind: z.enum(['Owner', 'PlatformAccount', 'Legacy']),
    userUUID: text(64).exactOptional(),
    region: text(32).exactOptional(),
    binding: text(NAME_LENGTH_MAX).exactOptional(),
    impersonator: text(NAME_LENGTH_MAX).exactOptional(),
  })
  .meta({ description: 'Of which account everything is that stands in the cloud. Decided before the first call, never changed.' })

const userRef: z.ZodType<UserRef> = z
  .object({ name: objectName(), namespace: text(63).exactOptional() })
  .meta({ description: "A Secret with the key userEmail. Its namespace, if set, must be the object's own." })

/** Immutable: H-8. */
const OWNER_STAYS = 'it says who pays; make a new object for another owner'

export const OWNER_RULES: readonly Rule[] = ['userEmail', 'userRef', 'ownerBindingRef'].map((field) => immutable(field, OWNER_STAYS))

type Optional<T> = { readonly [K in keyof T]-?: z.ZodExactOptional<z.ZodType<NonNullable<T[K]>>> }

/** The fields that select an owner. They authorize nothing. */
export const ownerSelection: Optional<OwnerSelection> = {
  userEmail: email('E-mail address of the owner. It selects one of the bindings of the namespace and authorizes nothing.').exactOptional(),
  userRef: userRef.exactOptional(),
  ownerBindingRef: z
    .object({ name: objectName() })
    .meta({ description: 'The CloudSigmaOwnerBinding to use, by name: for namespaces with several owners.' })
    .exactOptional(),
}

export const templateMetadata: z.ZodType<TemplateMetadata> = z
  .object({
    labels: z.record(z.string(), text(LABEL_VALUE_LENGTH_MAX)).meta({ maxProperties: LABELS_MAX }).exactOptional(),
    annotations: z
      .record(z.string(), text(ANNOTATION_LENGTH_MAX))
      .meta({
        maxProperties: LABELS_MAX,
        'x-kubernetes-validations': [
          {
            rule: `self.all(k, !k.startsWith('${ANNOTATION_PREFIX}'))`,
            message: `annotations ${ANNOTATION_PREFIX}* are written by the controller only`,
          },
        ],
      })
      .exactOptional(),
  })
  .meta({ description: 'Labels and annotations of the objects that are made of this template.' })

/** Contract v1beta1 has them; nothing of ours writes them, but what was written stays readable (C-9). */
export const deprecatedFailure: {
  readonly failureReason: z.ZodExactOptional<z.ZodString>
  readonly failureMessage: z.ZodExactOptional<z.ZodString>
} = {
  failureReason: text(256, { description: 'Contract v1beta1. Never set: see conditions.' }).exactOptional(),
  failureMessage: text(MESSAGE_LENGTH_MAX, { description: 'Contract v1beta1. Never set: see conditions.' }).exactOptional(),
}

export const initialization: z.ZodType<{ readonly provisioned?: boolean }> = z
  .object({ provisioned: z.boolean().exactOptional() })
  .meta({ description: 'Contract v1beta2. True once it stands, and never false again.' })

export const observedGeneration: z.ZodInt = whole(0, Number.MAX_SAFE_INTEGER)

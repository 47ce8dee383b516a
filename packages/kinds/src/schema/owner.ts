import { z } from 'zod'
import { DEFAULT_CLIENT_SECRET, DEFAULT_NAMESPACE } from '../names.ts'
import type {
  BindingLimits,
  Evidence,
  ImpersonatorSpec,
  ImpersonatorStatus,
  NamespaceSelector,
  OwnerBindingSpec,
  OwnerBindingStatus,
} from '../types.ts'
import { conditions, email, instant, objectName, observedGeneration, region, text, uuid, whole } from './fields.ts'
import { fixed } from './rule.ts'

const REGIONS_MAX = 64
const NAMESPACES_MAX = 1_024
const EXPRESSIONS_MAX = 32
const VALUES_MAX = 64
const URL_LENGTH_MAX = 512

/** Of this machine, names included: everything under `localhost` is (RFC 6761). */
const LOOPBACK = String.raw`(127\.0\.0\.1|([a-z0-9-]{1,63}\.)*localhost|\[::1\])(:[0-9]{1,5})?`
/** https, but on loopback, where plain http and a port serve tests. */
const ISSUER: RegExp = new RegExp(
  String.raw`^(https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?|http://${LOOPBACK})(/[A-Za-z0-9._~/-]*)?$`,
)
/** A bare host name, or a URL on loopback (H-3). */
const HOST: RegExp = new RegExp(
  String.raw`^(([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9](:[0-9]{1,5})?|https?://${LOOPBACK}/?)$`,
)

const selector: z.ZodType<NamespaceSelector> = z.object({
  matchLabels: z.record(z.string(), text(63)).meta({ maxProperties: EXPRESSIONS_MAX }).exactOptional(),
  matchExpressions: z
    .array(
      z.object({
        key: text(316, { min: 1 }),
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: z.array(text(63)).max(VALUES_MAX).meta({ 'x-kubernetes-list-type': 'atomic' }).exactOptional(),
      }),
    )
    .max(EXPRESSIONS_MAX)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .exactOptional(),
})

const accountLimits = {
  maxServers: whole(0, 1_000_000).exactOptional(),
  maxCPU: whole(0, Number.MAX_SAFE_INTEGER, 'MHz of all machines.').exactOptional(),
  maxMemory: whole(0, Number.MAX_SAFE_INTEGER, 'MiB of all machines.').exactOptional(),
  maxDrives: whole(0, 1_000_000).exactOptional(),
}

export const impersonatorSpec: z.ZodType<ImpersonatorSpec> = z.object({
  issuer: text(URL_LENGTH_MAX, { pattern: ISSUER, description: 'The issuer of OAuth, with its path: https, or on loopback http.' }),
  clientSecretRef: z
    .object({ name: objectName(), namespace: text(63, { min: 1 }).exactOptional() })
    .meta({
      description: 'A Secret with the keys client-id and client-secret. Another one than the default needs a Role of its own.',
      default: { name: DEFAULT_CLIENT_SECRET, namespace: DEFAULT_NAMESPACE },
    })
    .exactOptional(),
  regions: z
    .array(
      z
        .object({
          name: region('As objects name it.'),
          apiHost: text(URL_LENGTH_MAX, { pattern: HOST, description: 'Host of the API where impersonated tokens count.' }),
          impersonateHost: text(URL_LENGTH_MAX, { pattern: HOST, description: 'Host that gives out impersonated tokens.' }),
        })
        .meta({
          // At another host every server of the region would be "not found", and deletions would let go of servers that stand.
          'x-kubernetes-validations': [fixed('apiHost', 'servers of this region would look deleted; remove the region first, then add it')],
        }),
    )
    .min(1)
    .max(REGIONS_MAX)
    .meta({
      description: 'All locations that may be used, and their hosts: nothing is sent anywhere else.',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
    }),
  allowedNamespaces: z
    .object({
      mode: z.enum(['None', 'All', 'Selected']),
      names: z
        .array(text(63, { min: 1 }))
        .max(NAMESPACES_MAX)
        .meta({ 'x-kubernetes-list-type': 'set' })
        .exactOptional(),
      selector: selector.exactOptional(),
    })
    .meta({
      description: 'Namespaces that may use it at all; a binding is needed beside. Selected: named, or matched by the selector.',
      default: { mode: 'None' },
      'x-kubernetes-validations': [
        {
          rule: "self.mode == 'Selected' || (!has(self.names) && !has(self.selector))",
          message: 'names and selector belong to mode: Selected only',
        },
      ],
    })
    .exactOptional(),
  fallback: z
    .object({
      mode: z.enum(['Forbid', 'PlatformAccount']),
      limits: z
        .object(accountLimits)
        .meta({ description: "What each namespace may have in the platform's account. A machine beyond it is not made." })
        .exactOptional(),
    })
    .meta({
      description: "Whether objects that name no owner stand in the platform's account. It is never a reaction to an error.",
      default: { mode: 'Forbid' },
    })
    .exactOptional(),
})

export const impersonatorStatus: z.ZodType<ImpersonatorStatus> = z.object({
  conditions: conditions.exactOptional(),
  observedGeneration: observedGeneration.exactOptional(),
})

const evidence: z.ZodType<Evidence> = z
  .object({
    type: z.enum(['OIDC', 'ConsentGrant', 'AdminAssertion']),
    issuer: text(URL_LENGTH_MAX).exactOptional(),
    sub: text(256).exactOptional(),
    iat: whole(0, Number.MAX_SAFE_INTEGER, 'Seconds since the epoch.').exactOptional(),
    hash: text(128, { description: 'sha256:<hex> of what was shown.' }).exactOptional(),
  })
  .meta({ description: 'How it is known that the owner agreed.' })

const limits: z.ZodType<BindingLimits> = z
  .object({
    ...accountLimits,
    regions: z.array(region('A location.')).max(REGIONS_MAX).meta({ 'x-kubernetes-list-type': 'set' }).exactOptional(),
  })
  .meta({
    description: 'What the owner agreed to pay for. A single machine above it is refused at once, the sum of all before it is made.',
  })

const BINDING_STAYS = 'delete the binding and make another'

export const ownerBindingSpec: z.ZodType<OwnerBindingSpec> = z
  .object({
    namespaceRef: z
      .object({ name: text(63, { min: 1 }), uid: text(64, { min: 1 }) })
      .meta({ description: 'The namespace that may act for the owner, this one and no later one of the same name.' }),
    subject: z
      .object({
        userUUID: uuid('The owner: this, and not the address, is asserted against every token and every object.'),
        emailAtBinding: email('Address of the owner when bound.'),
      })
      .meta({ description: 'The owner.' }),
    impersonatorRef: z.object({ name: objectName('A CloudSigmaImpersonator; `environment` while there is none.') }),
    evidence,
    limits: limits.exactOptional(),
    expiresAt: instant('From then on the binding authorizes nothing.').exactOptional(),
    allowCleanupAfterRevoke: z
      .boolean()
      .meta({ description: "Whether machines may be deleted with the owner's account after the binding ended. Default true." })
      .exactOptional(),
  })
  .meta({
    'x-kubernetes-validations': ['namespaceRef', 'subject', 'impersonatorRef', 'evidence'].map((field) => fixed(field, BINDING_STAYS)),
  })

export const ownerBindingStatus: z.ZodType<OwnerBindingStatus> = z.object({
  verifiedAt: instant('When the profile was last compared.').exactOptional(),
  profileUUID: text(64).exactOptional(),
  lastMint: instant('When a token was last taken.').exactOptional(),
  lastError: text(1_024).exactOptional(),
  conditions: conditions.exactOptional(),
  observedGeneration: observedGeneration.exactOptional(),
})

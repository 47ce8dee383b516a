import { z } from 'zod'
import { META_KEY_LENGTH_MAX, RESERVED_META, RESERVED_META_PREFIX } from '../names.ts'
import type { CloudSigmaMachineTemplate, Disk, MachineSpec, MachineStatus, MachineTemplateStatus, Nic } from '../types.ts'
import {
  account,
  conditions,
  deprecatedFailure,
  initialization,
  objectName,
  observedGeneration,
  ownerSelection,
  OWNER_RULES,
  templateMetadata,
  text,
  UUID,
  uuid,
  whole,
} from './fields.ts'
import { fixed, immutable, writtenOnce } from './rule.ts'
import type { Rule } from './rule.ts'

/** The reference provider's bounds. */
const CPU_MHZ = { min: 1_000, max: 100_000 } as const
const MEMORY_MIB = { min: 512, max: 524_288 } as const
const CORES_MAX = 256
const DISKS_MAX = 16
const NICS_MAX = 16
const TAGS_MAX = 64
const META_MAX = 64
const META_VALUE_LENGTH_MAX = 8_192
const ADDRESSES_MAX = 64
/** RFC 1123 subdomain. */
const GROUP_LENGTH_MAX = 253

const disks: z.ZodType<readonly Disk[]> = z
  .array(
    z.object({
      uuid: uuid('The drive that is cloned: of the library, or one of the owner that the platform allows.'),
      device: z.enum(['virtio', 'ide']),
      boot_order: whole(1, 64),
      size: whole(1, Number.MAX_SAFE_INTEGER, 'Bytes.'),
    }),
  )
  .max(DISKS_MAX)
  .meta({
    'x-kubernetes-list-type': 'atomic',
    'x-kubernetes-validations': [
      {
        rule: 'self.all(d, self.exists_one(e, e.boot_order == d.boot_order))',
        message: 'two disks have the same boot_order: each is a channel of its own',
      },
    ],
  })

const NIC_RULES: readonly Rule[] = [
  {
    rule: '(has(self.vlan) && self.vlan != "") != (has(self.public) && self.public)',
    message: 'an interface is either in a vlan or public: true, and never both (public only when asked for)',
  },
  {
    rule: "!has(self.ipv4_conf) || self.ipv4_conf.conf != 'static' || has(self.ipv4_conf.ip) || has(self.ipPoolRef)",
    message: 'a static address needs ip.uuid or an ipPoolRef',
  },
  {
    rule: "!has(self.ipv4_conf) || self.ipv4_conf.conf == 'static' || !has(self.ipv4_conf.ip)",
    message: 'an ip belongs to conf: static only',
  },
]

const nics: z.ZodType<readonly Nic[]> = z
  .array(
    z
      .object({
        vlan: text(36, { pattern: new RegExp(`^$|${UUID.source}`), description: 'UUID of a VLAN of the owner.' }).exactOptional(),
        public: z.boolean().meta({ description: 'An address of the Internet. Default false.' }).exactOptional(),
        ipv4_conf: z
          .object({
            conf: z.enum(['dhcp', 'static', 'manual']),
            ip: z.object({ uuid: text(64, { min: 1, description: 'The address itself, as the cloud names it.' }) }).exactOptional(),
          })
          .exactOptional(),
        ipPoolRef: z
          .object({ apiGroup: text(GROUP_LENGTH_MAX).exactOptional(), kind: text(63, { min: 1 }), name: objectName() })
          .meta({ description: "A pool of Cluster API's IPAM, an InClusterIPPool for example: the address is claimed from it." })
          .exactOptional(),
      })
      .meta({ 'x-kubernetes-validations': NIC_RULES }),
  )
  .max(NICS_MAX)
  .meta({ 'x-kubernetes-list-type': 'atomic' })

const RESERVED = `[${RESERVED_META.map((key) => `'${key}'`).join(', ')}]`

const meta = z.record(z.string(), text(META_VALUE_LENGTH_MAX)).meta({
  description: "Keys of the server's meta, readable by whoever is on the machine: no secrets.",
  maxProperties: META_MAX,
  'x-kubernetes-validations': [
    { rule: `self.all(k, size(k) <= ${META_KEY_LENGTH_MAX})`, message: `a key of meta has at most ${META_KEY_LENGTH_MAX} characters` },
    {
      rule: `self.all(k, !(k in ${RESERVED}) && !k.startsWith('${RESERVED_META_PREFIX}'))`,
      message: `keys of meta that the controller writes cannot be set: ${RESERVED_META.join(', ')} and ${RESERVED_META_PREFIX}*`,
    },
  ] satisfies readonly Rule[],
})

const fields = {
  ...ownerSelection,
  cpu: whole(CPU_MHZ.min, CPU_MHZ.max, 'MHz of the whole machine.'),
  cpuCores: whole(0, CORES_MAX, 'Cores; 0: as many as the location allows. Absent: the cloud chooses.').exactOptional(),
  memory: whole(MEMORY_MIB.min, MEMORY_MIB.max, 'MiB.'),
  disks: disks.exactOptional(),
  nics: nics.exactOptional(),
  tags: z
    .array(text(256, { min: 1 }))
    .max(TAGS_MAX)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .exactOptional(),
  meta: meta.exactOptional(),
}

/** C-36. */
const MACHINE_STAYS = 'a machine is replaced, not changed; make a new template'

const MACHINE_RULES: readonly Rule[] = [
  ...OWNER_RULES,
  fixed('cpu', MACHINE_STAYS),
  fixed('memory', MACHINE_STAYS),
  ...['cpuCores', 'disks', 'nics', 'tags', 'meta'].map((field) => immutable(field, MACHINE_STAYS)),
  writtenOnce('providerID', 'it names the server that was made'),
]

export const machineSpec: z.ZodType<MachineSpec> = z
  .object({
    ...fields,
    providerID: text(512, {
      min: 1,
      description: 'cloudsigma://<server uuid>, equal to that of the Node. Written by the controller.',
    }).exactOptional(),
  })
  .meta({ 'x-kubernetes-validations': MACHINE_RULES })

export const machineStatus: z.ZodType<MachineStatus> = z.object({
  ready: z.boolean().meta({ description: 'Contract v1beta1.' }).exactOptional(),
  initialization: initialization.exactOptional(),
  instanceID: text(64, { description: "The server's uuid." }).exactOptional(),
  instanceState: text(64, { description: 'As the cloud says it.' }).exactOptional(),
  addresses: z
    .array(
      z.object({ type: z.enum(['Hostname', 'ExternalIP', 'InternalIP', 'ExternalDNS', 'InternalDNS']), address: text(256, { min: 1 }) }),
    )
    .max(ADDRESSES_MAX)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .exactOptional(),
  failureDomain: text(256).exactOptional(),
  account: account.exactOptional(),
  conditions: conditions.exactOptional(),
  observedGeneration: observedGeneration.exactOptional(),
  ...deprecatedFailure,
})

/** Immutable by policy, not by rules: those cannot see the dry run of the topology controller (C-41). */
export const machineTemplateSpec: z.ZodType<CloudSigmaMachineTemplate['spec']> = z.object({
  template: z.object({ metadata: templateMetadata.exactOptional(), spec: z.object(fields) }),
})

/** Kubernetes' quantities. */
const QUANTITY = /^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$/

export const machineTemplateStatus: z.ZodType<MachineTemplateStatus> = z.object({
  capacity: z
    .record(
      z.string(),
      z.union([z.int(), z.string().regex(QUANTITY)]).meta({ 'x-kubernetes-int-or-string': true, pattern: QUANTITY.source }),
    )
    .meta({ description: 'What a machine of this template offers, for scaling from zero.', maxProperties: 32 })
    .exactOptional(),
  nodeInfo: z.object({ architecture: text(32).exactOptional(), operatingSystem: text(32).exactOptional() }).exactOptional(),
  conditions: conditions.exactOptional(),
  observedGeneration: observedGeneration.exactOptional(),
})

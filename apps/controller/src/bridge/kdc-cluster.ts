import type { KubeObject, Resource } from '@ascribe/kube'
import { z } from 'zod'

/** kube-dc's kind. Its definition is kube-dc's; this is what of it concerns machines in the cloud. */
export type KdcCluster = KubeObject & { readonly spec?: unknown }

export const KDC_CLUSTERS: Resource<KdcCluster> = {
  group: 'k8s.kube-dc.com',
  version: 'v1alpha1',
  plural: 'kdcclusters',
  kind: 'KdcCluster',
  namespaced: true,
}

/** A pool of workers in the cloud, in words of today and of before (`cpu`, `memory`, `diskSize` in the block). */
export type CloudPool = {
  readonly name: string
  readonly cpuCores?: number | undefined
  readonly memory?: string | undefined
  readonly architecture?: string | undefined
  readonly cloudsigma: {
    readonly imageUUID: string
    readonly cpuMHz?: number | undefined
    readonly cpu?: number | undefined
    readonly mhzPerCore?: number | undefined
    readonly memory?: number | undefined
    readonly diskSizeGB?: number | undefined
    readonly diskSize?: number | undefined
    readonly region?: string | undefined
    readonly tags?: readonly string[] | undefined
    readonly meta?: Readonly<Record<string, string>> | undefined
    readonly nics?:
      | readonly {
          readonly vlan?: string | undefined
          readonly public?: boolean | undefined
          readonly ipPoolRef?:
            | { readonly apiGroup?: string | undefined; readonly kind?: string | undefined; readonly name: string }
            | undefined
        }[]
      | undefined
  }
}

const CloudPoolSchema: z.ZodType<CloudPool> = z.looseObject({
  // The name becomes part of an annotation's and of a template's name.
  name: z
    .string()
    .max(54)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/),
  cpuCores: z.int().min(1).optional(),
  memory: z.string().optional(),
  architecture: z.string().optional(),
  cloudsigma: z.looseObject({
    imageUUID: z.string(),
    cpuMHz: z.int().optional(),
    cpu: z.int().optional(),
    mhzPerCore: z.int().min(1).optional(),
    memory: z.int().optional(),
    diskSizeGB: z.int().min(1).optional(),
    diskSize: z.int().min(1).optional(),
    region: z.string().optional(),
    tags: z.array(z.string()).optional(),
    meta: z.record(z.string(), z.string()).optional(),
    nics: z
      .array(
        z.looseObject({
          vlan: z.string().optional(),
          public: z.boolean().optional(),
          ipPoolRef: z.looseObject({ apiGroup: z.string().optional(), kind: z.string().optional(), name: z.string() }).optional(),
        }),
      )
      .optional(),
  }),
})

const SpecSchema: z.ZodType<{ readonly workers?: readonly { readonly infrastructureProvider?: string | undefined }[] | undefined }> =
  z.looseObject({
    workers: z.array(z.looseObject({ infrastructureProvider: z.string().optional() })).optional(),
  })

/** The pools with `infrastructureProvider: cloudsigma`, or what is wrong with them, for people. */
export function cloudPoolsOf({ spec }: KdcCluster): { readonly pools: readonly CloudPool[] } | { readonly problem: string } {
  const parsed = SpecSchema.safeParse(spec ?? {})
  if (!parsed.success) return { problem: problemOf('spec', parsed.error) }
  const pools: CloudPool[] = []
  for (const [index, worker] of (parsed.data.workers ?? []).entries()) {
    if (worker.infrastructureProvider !== 'cloudsigma') continue
    const pool = CloudPoolSchema.safeParse(worker)
    if (!pool.success) return { problem: problemOf(`spec.workers[${index}]`, pool.error) }
    pools.push(pool.data)
  }
  const names = pools.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  return twice === undefined ? { pools } : { problem: `two pools are called ${twice}` }
}

function problemOf(at: string, { issues }: z.core.$ZodError): string {
  const [issue] = issues
  return issue === undefined ? at : `${[at, ...issue.path.map(String)].join('.')}: ${issue.message}`
}

import { z } from 'zod'
import type { RouteDef } from '../route.ts'
import { NoParamsSchema, NoQuerySchema } from '../schemas.ts'
import type { NoParams, NoQuery } from '../types.ts'
import type { CreatedCluster, NewCluster } from './cluster-types.ts'

/** A name of Kubernetes (RFC 1123). */
const label = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be 1 to 63 small letters, digits and inner hyphens')
const region = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/, 'must be a region such as zrh')
const ANNOTATIONS_MAX = 50

export const createCluster: RouteDef<NoParams, NoQuery, NewCluster, CreatedCluster> = {
  operationId: 'createCluster',
  summary: 'Makes a cluster whose machines live in the cloud account of whoever asks: by his own token, and nobody else’s word.',
  method: 'POST',
  path: '/v1/clusters',
  listeners: ['public'],
  subject: 'organization',
  needs: { role: 'admin' },
  params: NoParamsSchema,
  query: NoQuerySchema,
  body: z.strictObject({
    namespace: label.meta({ description: 'Of the management cluster; its label ascribe.dev/organization names the organization.' }),
    name: label,
    region: region.meta({ description: 'Where the owner is looked up.' }),
    spec: z.record(z.string(), z.unknown()).meta({ description: 'Of the KdcCluster, as kube-dc has it.' }),
    annotations: z
      .record(z.string().min(1).max(317), z.string().max(4096))
      .refine((all) => Object.keys(all).length <= ANNOTATIONS_MAX, `at most ${ANNOTATIONS_MAX}`)
      .optional()
      .meta({ description: 'More of the KdcCluster. One that names another owner, or begins with ascribe.dev/, is refused.' }),
  }),
  reply: z
    .strictObject({
      namespace: z.string(),
      name: z.string(),
      uid: z.string(),
      owner: z.string().meta({ description: 'The user of the cloud.' }),
      binding: z.string().meta({ description: 'The CloudSigmaOwnerBinding.' }),
    })
    .meta({ id: 'CreatedCluster' }),
  status: 201,
}

export const CLUSTER_ROUTES: readonly RouteDef[] = [createCluster]

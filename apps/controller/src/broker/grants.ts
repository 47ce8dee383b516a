import { ANNOTATIONS } from '@ascribe/kinds'
import type { CloudSigmaCluster } from '@ascribe/kinds'
import { z } from 'zod'
import type { BrokerProfile } from './types.ts'

const GrantsSchema = z.record(z.string().max(253), z.enum(['cloud-controller', 'storage']))
const ACCOUNTS_MAX = 16

/**
 * What a service account of the cluster's namespace may ask for this cluster, by the annotation `ascribe.dev/broker`, which only the platform
 * writes. Nobody, when it is missing or cannot be read.
 */
export function profileOf(cluster: CloudSigmaCluster, serviceAccount: string): BrokerProfile | undefined {
  const text = cluster.metadata.annotations?.[ANNOTATIONS.broker]
  if (text === undefined) return undefined
  try {
    const grants = GrantsSchema.safeParse(JSON.parse(text)).data ?? {}
    if (Object.keys(grants).length > ACCOUNTS_MAX || !Object.hasOwn(grants, serviceAccount)) return undefined
    return grants[serviceAccount]
  } catch {
    return undefined
  }
}

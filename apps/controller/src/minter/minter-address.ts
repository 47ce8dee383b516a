import { readFile } from 'node:fs/promises'
import { createMinterChannel } from '@ascribe/impersonation'
import type { MinterChannel } from '@ascribe/impersonation'
import { MINTER_CONFIG_MAP } from '@ascribe/kinds'
import type { KubeClient } from '@ascribe/kube'
import { CONFIG_MAPS } from '../abandon/orphan-record.ts'
import type { MinterAddress } from '../process/settings.ts'

/** Where the minter's certificate is in its ConfigMap. */
export const CA_KEY = 'ca.crt'
const DEADLINE_MS = 10_000

/** The way to a minter. Its certificate is the one that it has published: who may write that ConfigMap is the minter and the platform. */
export function openMinterChannel(
  address: MinterAddress,
  { kube, namespace }: { readonly kube: Pick<KubeClient, 'get'>; readonly namespace: string },
): MinterChannel {
  if ('socketPath' in address) return createMinterChannel(address)
  const { url, tokenFile } = address
  return createMinterChannel({
    url,
    async ca() {
      const { data } = await kube.get(CONFIG_MAPS, { namespace, name: MINTER_CONFIG_MAP }, { deadlineMs: DEADLINE_MS })
      const text = (data as Readonly<Record<string, unknown>> | undefined)?.[CA_KEY]
      if (typeof text !== 'string' || text === '') throw new TypeError(`ConfigMap ${namespace}/${MINTER_CONFIG_MAP} has no ${CA_KEY} yet`)
      return text
    },
    bearer: async () => (await readFile(tokenFile, 'utf8')).trim(),
  })
}

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { TransportError, createMinterChannel } from '@ascribe/impersonation'
import type { MinterChannel } from '@ascribe/impersonation'
import { MINTER_CONFIG_MAP } from '@ascribe/kinds'
import type { KubeClient } from '@ascribe/kube'
import { isOwnSocket } from '@ascribe/service'
import type { MinterAddress } from '../process/settings.ts'
import { publishedCertificate } from './certificate.ts'

/** The way to a minter. Its certificate is the one that it has published: who may write that ConfigMap is the minter and the platform. */
export function openMinterChannel(
  address: MinterAddress,
  { kube, namespace }: { readonly kube: Pick<KubeClient, 'get'>; readonly namespace: string },
): MinterChannel {
  if ('socketPath' in address) return ownSocketOnly(createMinterChannel(address), address.socketPath)
  const { url, tokenFile } = address
  return createMinterChannel({
    url,
    async ca() {
      const text = await publishedCertificate(kube, namespace)
      if (text === '') throw new TypeError(`ConfigMap ${namespace}/${MINTER_CONFIG_MAP} has no certificate yet`)
      return text
    },
    bearer: async () => (await readFile(tokenFile, 'utf8')).trim(),
  })
}

/** Somebody else's process at that path could hand us tokens of an account of its own, with an owner's machines to be made there. */
function ownSocketOnly(channel: MinterChannel, socketPath: string): MinterChannel {
  return {
    ...channel,
    async post(path, body, signal) {
      if (!isOwnSocket(socketPath)) throw new TransportError(existsSync(socketPath) ? 'SOCKET_OF_OTHERS' : 'ENOENT')
      return channel.post(path, body, signal)
    },
  }
}

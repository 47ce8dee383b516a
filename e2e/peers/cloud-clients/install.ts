import { join } from 'node:path'
import { pythonPeer } from '../support/python-peer.ts'

/** The Python that has both clients, or the reason for which the suite that needs it is skipped. */
export type CloudClientsAvailability = { readonly python: string; readonly skip: false } | { readonly skip: string }

/** Installs the maker's client and libcloud unless they are there: some 10 s. */
export async function cloudClients(): Promise<CloudClientsAvailability> {
  const requirements = join(import.meta.dirname, 'requirements.txt')
  const needs = 'the Python clients of CloudSigma need'
  const found = await pythonPeer({ peer: 'cloud-clients-python', needs, requirements, minor: 9 })
  return found.skip === false ? { python: join(found.bin, 'python'), skip: false } : found
}

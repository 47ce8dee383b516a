import { join } from 'node:path'
import { pythonPeer } from '../support/python-peer.ts'

/** The Python that has the client, or the reason for which the suite that needs it is skipped. */
export type OpenmeterAvailability = { readonly python: string; readonly skip: false } | { readonly skip: string }

/** Installs the official Python client unless it is there: some 10 s. */
export async function openmeterForPython(): Promise<OpenmeterAvailability> {
  const requirements = join(import.meta.dirname, 'requirements.txt')
  const pip = ['--only-binary', ':all:']
  const found = await pythonPeer({ peer: 'openmeter-python', needs: 'openmeter for Python needs', requirements, minor: 9, pip })
  return found.skip === false ? { python: join(found.bin, 'python'), skip: false } : found
}

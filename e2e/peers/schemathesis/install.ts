import { join } from 'node:path'
import { pythonPeer } from '../support/python-peer.ts'

/** The fuzzer's command, or the reason for which the suite that needs it is skipped. */
export type SchemathesisAvailability = { readonly command: string; readonly skip: false } | { readonly skip: string }

/** Installs schemathesis unless it is there: some 20 s. */
export async function schemathesis(): Promise<SchemathesisAvailability> {
  const requirements = join(import.meta.dirname, 'requirements.txt')
  const pip = ['--only-binary', ':all:']
  const found = await pythonPeer({ peer: 'schemathesis', needs: 'schemathesis needs', requirements, minor: 11, pip })
  return found.skip === false ? { command: join(found.bin, 'schemathesis'), skip: false } : found
}

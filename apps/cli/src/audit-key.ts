import { join } from 'node:path'
import { parseAuditSigner, readAuditSigner } from '@ascribe/ledger'
import type { AuditSigner } from '@ascribe/ledger'
import type { Context } from './context.ts'
import { prepareDataDir } from './data-dir.ts'

/** The key that signs the ends of the trail: from the configuration, else from its file in the data directory, made on first use. */
export function auditSignerOf({ config, dir }: Pick<Context, 'config' | 'dir'>): AuditSigner {
  if (config.audit.key !== undefined) return parseAuditSigner(config.audit.key.reveal(), 'the configuration (audit.key)')
  prepareDataDir(dir)
  return readAuditSigner(join(dir.root, 'secrets', 'audit-key.pem'))
}

import type { RouteDef } from '@ascribe/contract'
import { readLineage } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { requireScope } from '../authenticate.ts'
import { Refusal } from '../errors.ts'
import type { Caller } from '../handler.ts'
import type { Established, Gate } from './gate.ts'
import type { Incoming } from './incoming.ts'

/** Who asks. `wanted`: the organization that the path names, for who belongs to several. @throws {Refusal} */
export type IdentifyCaller = (incoming: Incoming, wanted: string | undefined) => Promise<Caller>

export type PublicGateDeps = {
  readonly db: Database
  readonly identify: IdentifyCaller
  /** Whoever reports usage; absent: nobody may. */
  readonly identifySender?: (incoming: Incoming) => Promise<Caller>
}

/** The customers' door: API keys, OIDC tokens and the console's session; one's own organization and those below it. */
export function createPublicGate({ db, identify, identifySender }: PublicGateDeps): Gate {
  async function establish(incoming: Incoming, def: RouteDef, params: Readonly<Record<string, string>>): Promise<Established> {
    if (def.subject === 'none') return { caller: { kind: 'anonymous' }, organizationId: undefined }
    if (def.subject === 'sender') return { caller: await senderOf(incoming), organizationId: undefined }
    const { id } = params
    const caller = await identify(incoming, id)
    if (caller.kind !== 'key' && caller.kind !== 'user') throw new Error(`a ${caller.kind} came through the customers' door`)
    // Before the organization is looked at: what a key may not do tells nothing of it.
    if (caller.kind === 'key') admitKey(caller, def)
    return { caller, organizationId: await ownOrBelow(db, caller.organizationId, id) }
  }

  async function senderOf(incoming: Incoming): Promise<Caller> {
    if (identifySender === undefined) throw new Error('events are taken in without anybody who may send them')
    return identifySender(incoming)
  }

  return {
    listener: 'public',
    replyHeaders: () => ({}),
    admit() {},
    optionsHeaders: (_incoming, match) => ({ allow: match?.allow ?? '' }),
    establish,
    async authorize(established, def) {
      const { caller, organizationId } = established
      if (caller.kind !== 'user') return established
      requireRole(caller, def)
      // A parent sees its children; what they do is their own admins' business.
      if (def.method !== 'GET' && organizationId !== undefined && organizationId !== caller.organizationId)
        throw new Refusal('insufficient_role', 'Only its own admins change an organization.')
      return established
    },
  }
}

function admitKey(caller: Extract<Caller, { kind: 'key' }>, { needs }: RouteDef): void {
  if (needs.scope === undefined) throw new Refusal('insufficient_role', 'This is not for API keys: sign in as a user.')
  requireScope(caller, needs.scope)
}

function requireRole({ role }: Extract<Caller, { kind: 'user' }>, { needs }: RouteDef): void {
  if (needs.role === undefined)
    throw new Refusal('insufficient_scope', 'This is not for users: use an API key with the scope that it needs.')
  if (needs.role === 'admin' && role !== 'admin') throw new Refusal('insufficient_role', 'This needs the role "admin" in the organization.')
}

/** The organization that is asked about, if it is one's own or stands below it. Somebody else's and nobody's are answered alike. */
async function ownOrBelow(db: Database, own: string, id: string | undefined): Promise<string> {
  if (id === undefined || id.toLowerCase() === own) return own
  const found = await readLineage(db, id)
  if (found?.ancestors.includes(own) !== true) throw new Refusal('organization_not_found', 'There is no such organization.')
  return found.id
}

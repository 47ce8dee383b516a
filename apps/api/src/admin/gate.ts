import type { RouteDef } from '@ascribe/contract'
import { bearerToken } from '@ascribe/identity'
import type { ServerSecret } from '@ascribe/identity'
import { provePlatformKey, readLineage } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { Refusal } from '../errors.ts'
import type { Caller } from '../handler.ts'
import type { Established, Gate } from '../http/gate.ts'
import type { Incoming } from '../http/incoming.ts'

export type AdminGateOptions = { readonly db: Database; readonly serverSecret: ServerSecret }

type PlatformCaller = Extract<Caller, { readonly kind: 'platform' }>

/** The automation's door: credentials of the platform, with scopes, on a port of its own. Browsers have no business here. */
export function createAdminGate({ db, serverSecret }: AdminGateOptions): Gate {
  async function establish(incoming: Incoming, def: RouteDef, params: Readonly<Record<string, string>>): Promise<Established> {
    if (def.subject === 'none') return { caller: { kind: 'anonymous' }, organizationId: undefined }
    const caller = await prove(incoming)
    // What is asked of an organization stands in its own log; of none, in the installation's.
    const { id } = params
    if (id === undefined || !def.path.startsWith('/v1/organizations/{id}')) return { caller, organizationId: undefined }
    return { caller, organizationId: (await readLineage(db, id))?.id }
  }

  async function prove({ valuesOf }: Incoming): Promise<PlatformCaller> {
    const [authorization, ...others] = valuesOf('authorization')
    const key = others.length === 0 ? bearerToken(authorization) : undefined
    const proof = key === undefined ? undefined : await provePlatformKey(db, serverSecret, { key })
    if (proof?.kind !== 'proven') {
      throw new Refusal('unauthenticated', 'A valid credential of the platform is needed: Authorization: Bearer ADMIN-KEY.')
    }
    return { kind: 'platform', credentialId: proof.credentialId, scopes: proof.scopes }
  }

  return {
    listener: 'admin',
    replyHeaders: () => ({}),
    admit({ valuesOf }) {
      // A program sends none of these. Of pages there is only the viewer of openapi.json, which this very listener serves.
      if (valuesOf('origin').length > 0 || valuesOf('sec-fetch-site').some((site) => site !== 'none' && site !== 'same-origin'))
        throw new Refusal('origin_refused', 'Pages may not ask this.')
    },
    optionsHeaders: (_incoming, match) => ({ allow: match?.allow ?? '' }),
    establish,
    async authorize(established, def) {
      const { caller, organizationId } = established
      if (caller.kind !== 'platform') return established
      const { platform } = def.needs
      if (platform === undefined || !mayUse(caller, platform)) {
        throw new Refusal('insufficient_scope', `This credential lacks the scope "${platform ?? 'of this operation'}".`)
      }
      if (organizationId === undefined && def.path.startsWith('/v1/organizations/{id}'))
        throw new Refusal('organization_not_found', 'There is no such organization.')
      return established
    },
  }
}

/** Who may write may read. */
function mayUse({ scopes }: PlatformCaller, needed: PlatformCaller['scopes'][number]): boolean {
  return scopes.includes(needed) || (needed === 'platform:read' && scopes.includes('platform:write'))
}

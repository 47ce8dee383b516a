import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe } from 'node:test'
import { customerFacts } from '../support/customer-facts.ts'
import { temporaryDir, up } from '../support/product.ts'
import { keycloak } from './keycloak/install.ts'
import { CONSOLE_SECRET, startKeycloak } from './keycloak/start.ts'

// The whole product with a real Keycloak as the customers' issuer: programs with tokens, people with code and PKCE.

const available = await keycloak()
const OTHER = '01d730c7-5a61-4d7a-9f3c-63ed01f34ebf'

describe('customers of a real Keycloak', { skip: available.skip }, () => {
  if (available.skip !== false) return
  const { installed } = available
  customerFacts(async () => {
    await using stack = new AsyncDisposableStack()
    const dir = stack.use(temporaryDir())
    const server = stack.use(await startKeycloak({ installed }))
    const secret = join(dir.path, 'client-secret')
    writeFileSync(secret, `${CONSOLE_SECRET}\n`, { mode: 0o600 })
    const issuer = server.issuer('customers')
    const client = ['--oidc-client-id', 'ascribe-console', '--oidc-client-secret-file', secret]
    const claims = ['--oidc-audience', 'ascribe', '--oidc-role-claim', 'ascribe_role']
    const product = stack.use(await up(join(dir.path, 'data'), '--oidc-issuer', issuer, ...claims, ...client))
    const { api, organization } = product.ready
    for (const username of ['ada', 'vic']) await server.setAttributes(username, { organization_id: [organization.id] })
    await server.setAttributes('eve', { organization_id: [OTHER] })
    await server.setClientAttributes('ascribe-console', {
      'backchannel.logout.url': `${api}/login/backchannel-logout`,
      'backchannel.logout.session.required': 'true',
    })
    const owned = stack.move()
    return {
      product,
      issuer: server.url,
      userToken: (username, { foreign = false } = {}) => server.userToken(username, foreign ? { clientId: 'other-program' } : {}),
      rotateKeys: async () => void (await server.rotateKey('customers')),
      endSessions: (username) => server.endSessions(username),
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    }
  })
})

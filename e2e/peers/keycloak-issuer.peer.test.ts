import { describe } from 'node:test'
import { issuerFacts } from '../support/issuer-facts.ts'
import { keycloak } from './keycloak/install.ts'
import { CONSOLE_SECRET, startKeycloak } from './keycloak/start.ts'

// A real Keycloak as the customers' issuer: the facts that the sandbox's issuer copies.

const available = await keycloak()

describe('Keycloak as the issuer of customers', { skip: available.skip }, () => {
  if (available.skip !== false) return
  const { installed } = available
  issuerFacts(async () => {
    const server = await startKeycloak({ installed })
    let newest = ''
    return {
      issuer: server.issuer('customers'),
      clientSecret: CONSOLE_SECRET,
      setOrganizations: (username, organizations) => server.setAttributes(username, { organization_id: organizations }),
      userToken: (username) => server.userToken(username),
      async rotateKeys() {
        newest = await server.rotateKey('customers')
      },
      dropOldKeys: () => server.retireOldKeys('customers', newest),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    }
  })
})

import { SANDBOX_CONSOLE_SECRET, startIssuer } from '@ascribe/sandbox/issuer'
import { issuerFacts } from './support/issuer-facts.ts'

// What a real Keycloak does in keycloak-issuer.peer.test.ts, the sandbox does too: one suite, two issuers.

issuerFacts(async () => {
  const sandbox = await startIssuer()
  return {
    issuer: sandbox.issuer,
    clientSecret: SANDBOX_CONSOLE_SECRET,
    setOrganizations: async (username, organizations) => sandbox.setOrganizations(username, organizations),
    userToken: async (username) => sandbox.userToken(username),
    rotateKeys: () => sandbox.rotateKeys(),
    dropOldKeys: async () => sandbox.dropOldKeys(),
    [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose](),
  }
})

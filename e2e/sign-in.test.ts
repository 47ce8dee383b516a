import { temporaryDir, up } from './support/product.ts'
import { customerFacts } from './support/customer-facts.ts'

// Customers of `ascribe up`: with the sandbox's issuer. keycloak-login.peer.test.ts does the same with a real Keycloak.

customerFacts(async () => {
  await using stack = new AsyncDisposableStack()
  const dir = stack.use(temporaryDir())
  const product = stack.use(await up(dir.path))
  const { issuer } = product.ready
  const control = async (path: string, body: object): Promise<Readonly<Record<string, unknown>>> => {
    const reply = await fetch(`${issuer}/sandbox${path}`, { method: 'POST', body: JSON.stringify(body) })
    if (!reply.ok) throw new Error(`The sandbox issuer answered ${reply.status} to ${path}`)
    return (await reply.json()) as Readonly<Record<string, unknown>>
  }
  await control('/users', { user: 'eve', organizations: ['01d730c7-5a61-4d7a-9f3c-63ed01f34ebf'] })
  const owned = stack.move()
  return {
    product,
    issuer,
    userToken: async (user, { foreign = false } = {}) =>
      String((await control('/tokens', { user, ...(foreign && { audience: 'somebody-else' }) }))['access_token']),
    rotateKeys: async () => void (await control('/keys/rotate', {})),
    endSessions: async (user) => void (await control('/sessions/end', { user })),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
})

import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { INITIAL_KNOBS } from '../../src/cloud/knobs.ts'
import { type SandboxCloud, startSandboxCloud } from '../../src/cloud/start-cloud.ts'
import { type Json, actAs, apiAt, askImpersonation, askToken, call, errorOf, rptFor, serviceToken } from './cloud-client.ts'

let cloud: SandboxCloud
before(async () => {
  cloud = await startSandboxCloud({ seed: 11, clock: 'frozen' })
})
after(() => cloud.close())
beforeEach(() => {
  cloud.setKnobs(INITIAL_KNOBS)
  cloud.clearFaults()
})

const claimsOf = (token: string): Json => JSON.parse(Buffer.from(String(token.split('.')[1]), 'base64url').toString()) as Json
const zrh = (): { api: string; other: string; name: string; otherName: string } => {
  const { zrh: urls } = cloud.regions
  assert.ok(urls)
  return urls
}
const profileAt = async (base: string, token: string): Promise<[number, unknown]> => {
  const reply = await apiAt(base, token).get('profile/')
  return [reply.status, reply.status === 200 ? (reply.json as Json)['email'] : undefined]
}

test('impersonate gives a JWT of the user, good at the host that gave it (R-2)', async () => {
  const reply = await askImpersonation(cloud, 'User@Example.com')
  const { access_token: token, expires_in: life, token_type: type } = reply.json as Json
  assert.deepEqual([reply.status, life, type], [200, 300, 'Bearer'])
  const claims = claimsOf(String(token))
  assert.deepEqual([claims['sub'], claims['email']], [cloud.users[0]?.uuid, 'user@example.com'])
  assert.equal(Number(claims['exp']) - Number(claims['iat']), 300)
  assert.equal(claims['act'], undefined)
  const profile = (await apiAt(zrh().api, String(token)).get('profile/')).json as Json
  assert.deepEqual([profile['uuid'], profile['email'], profile['state']], [cloud.users[0]?.uuid, 'user@example.com', 'REGULAR'])
})

test('impersonate checks the RPT, its permission, and that both tokens are of one client', async () => {
  const service = await serviceToken(cloud)
  const other = await serviceToken(cloud, 'untrusted_service')
  const short = await serviceToken(cloud, 'short_lived_service')
  const statusOf = async (rpt: string, subject: string): Promise<number> =>
    (await askImpersonation(cloud, 'user@example.com', { rpt, service: subject })).status
  assert.equal(await statusOf('garbage', service), 401)
  assert.equal(await statusOf(service, service), 403, 'a service token is no RPT')
  const rpt = await rptFor(cloud, service)
  assert.equal(await statusOf(rpt, 'garbage'), 401)
  assert.equal(await statusOf(rpt, other), 401, 'of another client')
  assert.equal(await statusOf(`${rpt.slice(0, -8)}AAAAAAAA`, service), 401)
  const shortRpt = await rptFor(cloud, short)
  assert.equal(await statusOf(shortRpt, short), 200)
  cloud.clock.advance(2000)
  assert.equal(await statusOf(shortRpt, short), 401, 'expired')
})

test('impersonate names the missing field, and refuses who is unknown, suspended, unverified or not allowed', async () => {
  const service = await serviceToken(cloud)
  const rpt = await rptFor(cloud, service)
  const ask = (body: unknown): ReturnType<typeof call> =>
    call(`${zrh().api}/service_provider/api/v1/user/impersonate`, { method: 'POST', body, headers: { authorization: `Bearer ${rpt}` } })
  assert.equal(errorOf(await ask({ subject_token: service }))['error_point'], 'user_email')
  assert.equal(errorOf(await ask({ user_email: 'user@example.com' }))['error_point'], 'subject_token')
  assert.equal((await ask('not json')).status, 400)
  const statusOf = async (email: string): Promise<number> => (await askImpersonation(cloud, email, { rpt, service })).status
  assert.equal(await statusOf('nobody@example.com'), 404)
  assert.equal(await statusOf('suspended@example.com'), 403)
  cloud.addUser({ email: 'fresh@example.com', state: 'UNVERIFIED' })
  assert.equal(await statusOf('fresh@example.com'), 403)
  const uuid = String(cloud.users[0]?.uuid)
  assert.equal(await statusOf(uuid), 404)
  cloud.setKnobs({ acceptedSubjects: 'email-or-uuid', impersonateUnknownStatus: 422, impersonatableUsers: ['user@example.com'] })
  assert.equal(await statusOf(uuid), 200)
  assert.equal(await statusOf('nobody@example.com'), 422)
  assert.equal(await statusOf('other@example.com'), 403)
  cloud.setKnobs({ impersonateErrorShape: 'html' })
  assert.match((await askImpersonation(cloud, 'nobody@example.com', { rpt, service })).text, /^<html>/)
})

test('R-1, H-23: a bearer on the plain host is taken and acts as the service account’s default user', async () => {
  const user = await actAs(cloud, 'user@example.com')
  cloud.forgetCalls()
  assert.deepEqual(await profileAt(zrh().other, user.token), [200, 'platform@example.com'])
  assert.deepEqual(
    [cloud.calls()[0]?.user, cloud.calls()[0]?.tokenOf, cloud.calls()[0]?.kind],
    ['platform@example.com', 'user@example.com', 'other'],
  )
  const wrong = apiAt(zrh().other, user.token)
  const made = (await wrong.post('servers/', { name: 'lost', cpu: 1000, mem: 536_870_912, vnc_password: 'x' })).json as {
    objects: { uuid: string; owner: Json }[]
  }
  const [server] = made.objects
  assert.equal(server?.owner['uuid'], cloud.users.find(({ isPlatform }) => isPlatform)?.uuid)
  assert.equal((await user.get(`servers/${server?.uuid}/`)).status, 403, 'the next GET at the right host')
  cloud.setKnobs({ wrongHostIdentity: false })
  assert.equal((await profileAt(zrh().other, user.token))[0], 401)
})

test('minting is served at the direct host only, and a token counts in the region that minted it', async () => {
  assert.equal((await askImpersonation(cloud, 'user@example.com', { base: zrh().other })).status, 404)
  const user = await actAs(cloud, 'user@example.com')
  const elsewhere = String(cloud.regions['sjc']?.api)
  assert.equal((await profileAt(elsewhere, user.token))[0], 401)
  cloud.setKnobs({ tokenValidAt: 'direct-hosts' })
  assert.deepEqual(await profileAt(elsewhere, user.token), [200, 'user@example.com'])
})

test('hosts are told by name as well as by address', async () => {
  const user = await actAs(cloud, 'user@example.com')
  const byName = async (url: string): Promise<unknown> => {
    const { hostname, port } = new URL(url)
    const { request } = await import('node:http')
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    // `*.localhost` is loopback; the name goes into Host, as a client that knows RFC 6761 sends it.
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path: '/api/2.0/profile/',
        headers: { host: `${hostname}:${port}`, authorization: `Bearer ${user.token}` },
      },
      (reply) => {
        let text = ''
        reply.on('data', (part: Buffer) => (text += part.toString())).on('end', () => resolve(text))
      },
    )
    sent.on('error', reject)
    sent.end()
    return (JSON.parse(await promise) as Json)['email']
  }
  assert.equal(await byName(zrh().name), 'user@example.com')
  assert.equal(await byName(zrh().otherName), 'platform@example.com')
})

test('directlessRegions: a region without a direct host cannot be used (open question 7)', async () => {
  cloud.setKnobs({ directlessRegions: ['zrh'] })
  const reply = await askImpersonation(cloud, 'user@example.com')
  assert.deepEqual([reply.status, reply.text.startsWith('<html>')], [404, true])
})

test('tokens end: by time, by revocation, with their user; a renamed user keeps uuid and token', async () => {
  cloud.addUser({ email: 'old@example.com' })
  const user = await actAs(cloud, 'old@example.com')
  cloud.changeUser('old@example.com', { email: 'new@example.com' })
  assert.deepEqual(await profileAt(zrh().api, user.token), [200, 'new@example.com'])
  assert.equal((await askImpersonation(cloud, 'old@example.com')).status, 404)
  cloud.clock.advance(300_000)
  assert.equal((await profileAt(zrh().api, user.token))[0], 401)
  const second = await actAs(cloud, 'new@example.com')
  assert.equal(cloud.revokeTokens({ user: 'new@example.com' }), 1)
  assert.equal((await profileAt(zrh().api, second.token))[0], 401)
  const third = await actAs(cloud, 'new@example.com')
  cloud.changeUser('new@example.com', { removed: true })
  assert.equal((await profileAt(zrh().api, third.token))[0], 401)
  assert.equal((await askImpersonation(cloud, 'new@example.com')).status, 404)
})

test('token knobs: form, lifetime, expires_in as text or not at all, another identity than asked (open question 2)', async () => {
  cloud.setKnobs({ impForm: 'opaque', impExpiresIn: 'string', impTtlS: 9 })
  const opaque = (await askImpersonation(cloud, 'user@example.com')).json as Json
  assert.equal(opaque['expires_in'], '9')
  assert.ok(!String(opaque['access_token']).includes('.'))
  cloud.setKnobs({ impForm: 'jwt', impExpiresIn: 'absent', actInToken: true, impersonateGives: 'other@example.com' })
  const jwt = (await askImpersonation(cloud, 'user@example.com')).json as Json
  assert.ok(!('expires_in' in jwt))
  const claims = claimsOf(String(jwt['access_token']))
  assert.equal(claims['email'], 'other@example.com')
  assert.equal(typeof (claims['act'] as Json)['sub'], 'string')
  cloud.setKnobs({ saTtlS: 5, saExpiresIn: 'string', rptTtlS: 7, rptExpiresIn: 'absent' })
  const form = { grant_type: 'client_credentials', client_id: 'kubernetes_cluster_service', client_secret: 'kcs-secret' }
  const service = (await askToken(cloud, form)).json as Json
  assert.equal(service['expires_in'], '5')
  const rpt = await rptFor(cloud, String(service['access_token']))
  assert.equal(Number(claimsOf(rpt)['exp']) - Number(claimsOf(rpt)['iat']), 7)
})

test('oauthClockSkewMs moves iat, exp and Date of the OAuth server, and so what the API takes', async () => {
  cloud.setKnobs({ oauthClockSkewMs: -3_600_000 })
  const form = { grant_type: 'client_credentials', client_id: 'kubernetes_cluster_service', client_secret: 'kcs-secret' }
  const reply = await askToken(cloud, form)
  const token = String((reply.json as Json)['access_token'])
  assert.equal(Number(claimsOf(token)['iat']), Math.floor((cloud.clock.now() - 3_600_000) / 1000))
  assert.ok(Math.abs(Date.parse(String(reply.headers.get('date'))) - (cloud.clock.now() - 3_600_000)) < 1000)
  assert.equal((await askImpersonation(cloud, 'user@example.com', { service: token, rpt: await rptFor(cloud, token) })).status, 401)
})

test('the faults of minting: each step answers as it is told, in its own words', async () => {
  const service = await serviceToken(cloud)
  const rpt = await rptFor(cloud, service)
  const steps = {
    'service-token': () =>
      askToken(cloud, { grant_type: 'client_credentials', client_id: 'kubernetes_cluster_service', client_secret: 'kcs-secret' }),
    rpt: () =>
      askToken(
        cloud,
        { grant_type: 'urn:ietf:params:oauth:grant-type:uma-ticket', audience: 'service_provider_api' },
        { authorization: `Bearer ${service}` },
      ),
    impersonate: () => askImpersonation(cloud, 'user@example.com', { service, rpt }),
  } as const
  for (const [step, ask] of Object.entries(steps) as [keyof typeof steps, () => ReturnType<typeof call>][]) {
    const under = async (does: Parameters<typeof cloud.addFault>[0]['does']): ReturnType<typeof call> => {
      cloud.addFault({ match: { step, times: 1 }, does })
      return ask()
    }
    const refused = await under({ status: 403, errorType: 'access_denied', message: 'not_authorized' })
    const error = step === 'impersonate' ? errorOf(refused)['error_type'] : (refused.json as Json)['error']
    assert.deepEqual([refused.status, error], [403, 'access_denied'], step)
    const limited = await under({ status: 429, retryAfterS: 3 })
    assert.deepEqual([limited.status, limited.headers.get('retry-after')], [429, '3'], step)
    assert.match((await under({ status: 504, body: 'html' })).text, /^<html>/)
    assert.equal((await under({ status: 503, body: 'empty' })).text, '')
    assert.equal(((await under({ set: { access_token: '', token_type: null } })).json as Json)['access_token'], '')
    assert.equal((await under({ redirect: 'http://127.0.0.1:1/' })).status, 307)
    await assert.rejects(under({ truncateAt: 10 }))
    await assert.rejects(under({ drop: 'before' }))
    assert.equal((await ask()).status, 200, 'each fault had one call')
  }
})

test('revokeTokens() ends just the one token that is given', async () => {
  const [one, two] = [await actAs(cloud, 'user@example.com'), await actAs(cloud, 'user@example.com')]
  assert.equal(cloud.revokeTokens({ token: one.token }), 1)
  assert.equal(cloud.revokeTokens({ token: one.token }), 0)
  assert.deepEqual([(await profileAt(zrh().api, one.token))[0], (await profileAt(zrh().api, two.token))[0]], [401, 200])
})

test('revocation has no endpoint unless a knob gives it one (open question 5)', async () => {
  const user = await actAs(cloud, 'user@example.com')
  const revoke = (): ReturnType<typeof call> =>
    call(`${zrh().api}/service_provider/api/v1/user/revoke`, { method: 'POST', body: { token: user.token } })
  assert.equal((await revoke()).status, 404)
  cloud.setKnobs({ revocationEndpoint: true })
  assert.equal((await revoke()).status, 204)
  assert.equal((await profileAt(zrh().api, user.token))[0], 401)
})

test('impScopes limits what an impersonated token reaches; profile always (open question 6)', async () => {
  const user = await actAs(cloud, 'user@example.com')
  cloud.setKnobs({ impScopes: ['servers'] })
  assert.equal((await user.get('servers/')).status, 200)
  assert.equal((await user.get('profile/')).status, 200)
  const refused = await user.get('drives/')
  assert.deepEqual([refused.status, errorOf(refused)['error_type']], [403, 'permission'])
})

test('HTTP Basic acts as the user at every host, and a wrong password is a 401 with a challenge', async () => {
  const basic = (password: string): Readonly<Record<string, string>> => ({
    authorization: `Basic ${Buffer.from(`user@example.com:${password}`).toString('base64')}`,
  })
  for (const base of [zrh().api, zrh().other]) {
    const reply = await call(`${base}/api/2.0/profile/`, { headers: basic('user-password') })
    assert.equal((reply.json as Json)['email'], 'user@example.com')
  }
  const refused = await call(`${zrh().api}/api/2.0/profile/`, { headers: basic('wrong') })
  assert.deepEqual([refused.status, refused.headers.get('www-authenticate')], [401, 'Basic realm="users"'])
  assert.equal((await call(`${zrh().api}/api/2.0/profile/`)).status, 401)
})

test('trustIssuers: tokens of a foreign issuer are taken by its JWKS, of nobody else', async () => {
  await using foreign = await startSandboxCloud({ seed: 12, realm: 'foreign' })
  const service = await serviceToken(foreign)
  const rpt = await rptFor(foreign, service)
  assert.equal((await askImpersonation(cloud, 'user@example.com', { service, rpt })).status, 401)
  await using trusting = await startSandboxCloud({ seed: 13, trustIssuers: [foreign.issuer] })
  const reply = await askImpersonation(trusting, 'user@example.com', { service, rpt })
  assert.equal(reply.status, 200, reply.text)
  const mixed = await askImpersonation(trusting, 'user@example.com', { service: await serviceToken(trusting), rpt })
  assert.equal(mixed.status, 401, 'both tokens must be of one issuer')
})

test('addresses: false leaves names alone, as on a machine without loopback addresses to give', async () => {
  await using named = await startSandboxCloud({ addresses: false })
  const { zrh: urls } = named.regions
  assert.equal(urls?.api, urls?.name)
  assert.match(String(urls?.api), /^http:\/\/direct\.zrh\.localhost:/)
})

test('a seed, a frozen clock and where it began give the same world, whatever else is asked in between', async () => {
  const options = { seed: 99, clock: 'frozen', startAt: Date.now() } as const
  await using first = await startSandboxCloud(options)
  await using second = await startSandboxCloud(options)
  await serviceToken(first)
  const server = async (on: SandboxCloud): Promise<unknown> => {
    const user = await actAs(on, 'user@example.com')
    const reply = await user.post('servers/', {
      name: 'x',
      cpu: 1000,
      mem: 536_870_912,
      vnc_password: 'x',
      nics: [{ ip_v4_conf: { conf: 'dhcp' } }],
    })
    const logs = await user.get('logs/')
    return {
      made: reply.json,
      logs: logs.json,
      users: on.users,
      libdrives: (await user.get('libdrives/')).json,
      subscriptions: (await user.get('subscriptions/')).json,
    }
  }
  assert.deepEqual(await server(first), await server(second))
})

import assert from 'node:assert/strict'
import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto'
import { after, before, test } from 'node:test'
import { PlainBrowser } from './plain-browser.ts'
import type { Landing } from './plain-browser.ts'

/** An issuer of customers with the users ada, vic, max and eve and the client `ascribe-console`: the sandbox's, or a Keycloak. */
export type IssuerUnderTest = AsyncDisposable & {
  readonly issuer: string
  readonly clientSecret: string
  setOrganizations(username: string, organizations: readonly string[]): Promise<void>
  /** An access token without a browser. */
  userToken(username: string): Promise<string>
  rotateKeys(): Promise<void>
  dropOldKeys(): Promise<void>
}

type Json = Readonly<Record<string, unknown>>
type Reply = { readonly status: number; readonly body: Json; readonly headers: Headers }

const CLIENT = 'ascribe-console'
const CALLBACK = 'http://127.0.0.1:9/login/callback'
const SIGNED_OUT = 'http://127.0.0.1:9/console/'
const ORGANIZATION = '9e8b1bc8-fa08-4870-a21f-22ac01cc3808'
const OTHER = '9df348f3-6fb1-44a5-9ab0-2a2fe147a683'

/** What our API relies on, as tests: run on the sandbox and on a real Keycloak, so that the sandbox cannot drift away from it. */
export function issuerFacts(start: () => Promise<IssuerUnderTest>): void {
  let issuer: IssuerUnderTest
  let metadata: Readonly<Record<string, string>>
  before(async () => {
    issuer = await start()
    await issuer.setOrganizations('ada', [ORGANIZATION])
    await issuer.setOrganizations('max', [ORGANIZATION, OTHER])
    metadata = (await (await fetch(`${issuer.issuer}/.well-known/openid-configuration`)).json()) as typeof metadata
  })
  after(() => issuer[Symbol.asyncDispose]())

  async function token(form: Readonly<Record<string, string>>, secret = issuer.clientSecret): Promise<Reply> {
    const body = new URLSearchParams({ client_id: CLIENT, client_secret: secret, ...form })
    const reply = await fetch(metadata['token_endpoint'] ?? '', { method: 'POST', body })
    return { status: reply.status, body: (await reply.json()) as Json, headers: reply.headers }
  }

  function request(more: Readonly<Record<string, string>> = {}): { readonly verifier: string; readonly url: string } {
    const verifier = randomBytes(32).toString('base64url')
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: CLIENT,
      redirect_uri: CALLBACK,
      scope: 'openid',
      state: 'the state',
      nonce: 'the nonce',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...more,
    })
    for (const [name, value] of Object.entries(more)) if (value === '') query.delete(name)
    return { verifier, url: `${metadata['authorization_endpoint']}?${query.toString()}` }
  }

  async function signIn(
    username: string,
    browser = new PlainBrowser(),
  ): Promise<{ landing: Landing; verifier: string; browser: PlainBrowser }> {
    const { verifier, url } = request()
    const page = await browser.visit(url, { stopAt: CALLBACK })
    const landing = await browser.submit(page, { username, password: `${username}-password` }, CALLBACK)
    return { landing, verifier, browser }
  }

  const redeem = (landing: Landing, verifier: string): Promise<Reply> =>
    token({
      grant_type: 'authorization_code',
      code: landing.url.searchParams.get('code') ?? '',
      redirect_uri: CALLBACK,
      code_verifier: verifier,
    })

  const jwks = async (): Promise<readonly Json[]> => ((await (await fetch(metadata['jwks_uri'] ?? '')).json()) as { keys: Json[] }).keys

  async function isListed(jwt: string): Promise<boolean> {
    const [head = '', body = '', signature = ''] = jwt.split('.')
    const { kid } = read(head)
    const jwk = (await jwks()).find((key) => key['kid'] === kid && key['use'] === 'sig')
    if (jwk === undefined) return false
    const key = createPublicKey({ key: { kty: 'RSA', n: String(jwk['n']), e: String(jwk['e']) }, format: 'jwk' })
    return verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))
  }

  test('discovery: says the issuer exactly as it was asked for, and what a code with PKCE needs', () => {
    assert.equal(metadata['issuer'], issuer.issuer)
    for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri', 'userinfo_endpoint', 'end_session_endpoint'])
      assert.ok(metadata[name]?.startsWith(issuer.issuer), name)
    assert.ok(metadata['code_challenge_methods_supported']?.includes('S256'))
    assert.equal(metadata['authorization_response_iss_parameter_supported'], true)
  })

  test('sign-in: a code with PKCE becomes tokens that name user, organization, role and session', async () => {
    const { landing, verifier } = await signIn('ada')
    assert.equal(landing.url.searchParams.get('state'), 'the state')
    assert.equal(landing.url.searchParams.get('iss'), issuer.issuer)
    const { status, body } = await redeem(landing, verifier)
    assert.equal(status, 200)
    assert.equal(body['token_type'], 'Bearer')
    const [access, id] = [String(body['access_token']), String(body['id_token'])]
    assert.ok((await isListed(access)) && (await isListed(id)))
    const [inAccess, inId] = [claims(access), claims(id)]
    assert.deepEqual([inAccess['iss'], inAccess['azp'], inAccess['typ'], inAccess['aud']], [issuer.issuer, CLIENT, 'Bearer', 'ascribe'])
    assert.deepEqual(
      [inId['iss'], inId['azp'], inId['typ'], inId['aud'], inId['nonce']],
      [issuer.issuer, CLIENT, 'ID', CLIENT, 'the nonce'],
    )
    for (const each of [inAccess, inId]) {
      assert.deepEqual(each['organization_id'], [ORGANIZATION])
      assert.deepEqual([each['ascribe_role'], each['preferred_username'], each['name']], ['admin', 'ada', 'Ada Demo'])
      assert.equal(each['sid'], landing.url.searchParams.get('session_state'))
      assert.ok(typeof each['sub'] === 'string' && each['sub'] === inId['sub'])
      // Keycloak reads its clock twice: 300 s, or one less.
      assert.ok([299, 300].includes(Number(each['exp']) - Number(each['iat'])))
    }
  })

  test('sign-in: somebody of two organizations has both in the claim, somebody of none has no claim', async () => {
    assert.deepEqual([...(claims(await issuer.userToken('max'))['organization_id'] as string[])].toSorted(), [OTHER, ORGANIZATION])
    assert.equal(claims(await issuer.userToken('vic'))['organization_id'], undefined)
    assert.equal(claims(await issuer.userToken('vic'))['ascribe_role'], 'viewer')
  })

  test('sign-in: without PKCE, or with plain, the browser comes back with an error and no code', async () => {
    for (const more of [{ code_challenge: '', code_challenge_method: '' }, { code_challenge_method: 'plain' }]) {
      const { url } = await new PlainBrowser().visit(request(more).url, { stopAt: CALLBACK })
      assert.ok(url.href.startsWith(CALLBACK), url.href)
      assert.equal(url.searchParams.get('error'), 'invalid_request')
      assert.equal(url.searchParams.get('code'), null)
      assert.equal(url.searchParams.get('state'), 'the state')
    }
  })

  test('sign-in: nobody is sent to an address that is not registered', async () => {
    for (const address of ['https://evil.example/', 'http://127.0.0.1.evil.example/', 'http://evil.example:9/login/callback']) {
      const landing = await new PlainBrowser().visit(request({ redirect_uri: address }).url, { stopAt: address })
      assert.equal(landing.status, 400, address)
      assert.ok(landing.url.href.startsWith(issuer.issuer))
    }
  })

  test('sign-in: signed in once, the next client needs no page; without a session prompt=none says login_required', async () => {
    const { browser } = await signIn('ada')
    const again = await browser.visit(request().url, { stopAt: CALLBACK })
    assert.notEqual(again.url.searchParams.get('code'), null)
    const stranger = await new PlainBrowser().visit(request({ prompt: 'none' }).url, { stopAt: CALLBACK })
    assert.equal(stranger.url.searchParams.get('error'), 'login_required')
  })

  test('token: a code is good once, and for its verifier alone', async () => {
    const first = await signIn('ada')
    assert.deepEqual(refused(await redeem(first.landing, 'x'.repeat(43))), [400, 'invalid_grant'])
    const second = await signIn('ada')
    const good = await redeem(second.landing, second.verifier)
    assert.equal(good.status, 200)
    assert.deepEqual(refused(await redeem(second.landing, second.verifier)), [400, 'invalid_grant'])
    // Somebody else has had the code: what was given for it is worth nothing any more.
    const refresh = await token({ grant_type: 'refresh_token', refresh_token: String(good.body['refresh_token']) })
    assert.deepEqual(refused(refresh), [400, 'invalid_grant'])
  })

  test('token: refusals have the words of Keycloak', async () => {
    const code = { grant_type: 'authorization_code', code: 'none', redirect_uri: CALLBACK, code_verifier: 'x'.repeat(43) }
    assert.deepEqual(refused(await token(code)), [400, 'invalid_grant'])
    assert.deepEqual(refused(await token(code, 'wrong')), [401, 'unauthorized_client'])
    assert.deepEqual(refused(await token({ ...code, client_id: 'nobody' })), [401, 'invalid_client'])
    assert.deepEqual(refused(await token({ grant_type: 'none' })), [400, 'unsupported_grant_type'])
    assert.deepEqual(refused(await token({ grant_type: 'refresh_token', refresh_token: 'none' })), [400, 'invalid_grant'])
  })

  test('token: a refresh token gives the next access token of the same session', async () => {
    const { landing, verifier } = await signIn('ada')
    const { body } = await redeem(landing, verifier)
    const next = await token({ grant_type: 'refresh_token', refresh_token: String(body['refresh_token']) })
    assert.equal(next.status, 200)
    assert.equal(claims(String(next.body['access_token']))['sid'], claims(String(body['access_token']))['sid'])
    assert.equal(typeof next.body['refresh_token'], 'string')
  })

  test('userinfo: answers a token of a session, and challenges anything else', async () => {
    const { landing, verifier } = await signIn('ada')
    const { body } = await redeem(landing, verifier)
    const ask = (bearer: string): Promise<Response> =>
      fetch(metadata['userinfo_endpoint'] ?? '', { headers: { authorization: `Bearer ${bearer}` } })
    const known = await ask(String(body['access_token']))
    const user = (await known.json()) as Json
    assert.deepEqual([known.status, user['sub'], user['organization_id']], [200, claims(String(body['id_token']))['sub'], [ORGANIZATION]])
    const unknown = await ask('garbage')
    assert.equal(unknown.status, 401)
    assert.match(unknown.headers.get('www-authenticate') ?? '', /^Bearer .*error="invalid_token"/)
  })

  test('logout: ends the session at the issuer too, and comes back only where it is registered', async () => {
    const { landing, verifier, browser } = await signIn('ada')
    const { body } = await redeem(landing, verifier)
    const out = (to: string): string =>
      `${metadata['end_session_endpoint']}?${new URLSearchParams({ id_token_hint: String(body['id_token']), post_logout_redirect_uri: to, state: 's' }).toString()}`
    const astray = await browser.visit(out('https://evil.example/'), { stopAt: 'https://evil.example/' })
    assert.equal(astray.status, 400)
    const back = await browser.visit(out(SIGNED_OUT), { stopAt: SIGNED_OUT })
    assert.deepEqual([back.url.origin + back.url.pathname, back.url.searchParams.get('state')], [SIGNED_OUT, 's'])
    const refresh = await token({ grant_type: 'refresh_token', refresh_token: String(body['refresh_token']) })
    assert.deepEqual(refused(refresh), [400, 'invalid_grant'])
    const silent = await browser.visit(request({ prompt: 'none' }).url, { stopAt: CALLBACK })
    assert.equal(silent.url.searchParams.get('error'), 'login_required')
  })

  test('keys: a new one signs at once, the old one stays listed until it is dropped', async () => {
    const old = await issuer.userToken('ada')
    await issuer.rotateKeys()
    const young = await issuer.userToken('ada')
    assert.notEqual(read(old.split('.')[0] ?? '')['kid'], read(young.split('.')[0] ?? '')['kid'])
    assert.deepEqual([await isListed(old), await isListed(young)], [true, true])
    await issuer.dropOldKeys()
    assert.deepEqual([await isListed(old), await isListed(young)], [false, true])
  })
}

const read = (part: string): Json => JSON.parse(Buffer.from(part, 'base64url').toString()) as Json
const claims = (jwt: string): Json => read(jwt.split('.')[1] ?? '')
const refused = ({ status, body }: Reply): readonly unknown[] => [status, body['error']]

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { run, start } from './support/process.ts'

type Ready = {
  readonly issuer: string
  readonly realm: string
  readonly audience: string
  readonly api_url: string
  readonly regions: Readonly<Record<string, { readonly api: string; readonly other: string; readonly name: string }>>
  readonly clients: readonly { readonly id: string; readonly secret: string }[]
  readonly users: readonly { readonly email: string; readonly uuid: string; readonly password: string; readonly state: string }[]
  readonly control_url: string
  readonly control_token: string
  readonly page_url: string
  readonly seed: number
}

const post = async (url: string, body: URLSearchParams | object, token?: string): Promise<Record<string, unknown>> => {
  const isForm = body instanceof URLSearchParams
  const headers = {
    ...(!isForm && { 'content-type': 'application/json' }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  }
  const reply = await fetch(url, { method: 'POST', headers, body: isForm ? body : JSON.stringify(body) })
  const text = await reply.text()
  assert.ok(reply.ok, `${url}: ${reply.status} ${text}`)
  return JSON.parse(text) as Record<string, unknown>
}

test('ascribe sandbox cloud says in one line all that the three steps, the API and its control need, and ends on SIGTERM', async () => {
  await using cloud = start(['sandbox', 'cloud', '--json', '--port', '0', '--seed', '7', '--frozen', '--set', 'impTtlS=60'])
  const ready = JSON.parse((await cloud.firstLine) ?? '') as Ready
  assert.deepEqual([ready.seed, ready.realm, Object.keys(ready.regions)], [7, 'cloudsigma', ['zrh', 'sjc']])
  assert.equal(ready.api_url.replace('{region}', 'zrh'), ready.regions['zrh']?.name)
  const [client] = ready.clients
  const [user] = ready.users
  assert.ok(client !== undefined && user !== undefined)
  const token = `${ready.issuer}/protocol/openid-connect/token`
  const credentials = { client_id: client.id, client_secret: client.secret }
  const service = await post(token, new URLSearchParams({ grant_type: 'client_credentials', ...credentials }))
  const ticket = new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:uma-ticket', audience: ready.audience })
  const rpt = await post(token, ticket, String(service['access_token']))
  const api = String(ready.regions['zrh']?.api)
  const imp = await post(
    `${api}/service_provider/api/v1/user/impersonate`,
    { user_email: user.email, subject_token: service['access_token'] },
    String(rpt['access_token']),
  )
  assert.equal(imp['expires_in'], 60)
  const authorization = `Bearer ${String(imp['access_token'])}`
  const profile = (await (await fetch(`${api}/api/2.0/profile/`, { headers: { authorization } })).json()) as { uuid: string }
  assert.equal(profile.uuid, user.uuid)
  const clock = await post(`${ready.control_url}/clock`, { advanceMs: 61_000 }, ready.control_token)
  assert.equal(clock['mode'], 'frozen')
  assert.equal((await fetch(`${api}/api/2.0/profile/`, { headers: { authorization } })).status, 401)
  assert.equal((await fetch(ready.page_url)).status, 200)
  cloud.kill('SIGTERM')
  const { code, stdout } = await cloud.ended
  assert.deepEqual([code, stdout.trim().split('\n').length], [0, 1])
})

test('ascribe sandbox cloud prints what to set, for a shell', async () => {
  await using cloud = start(['sandbox', 'cloud', '--region', 'zrh', '--realm', 'trial'])
  const issuer = (await cloud.firstLine)?.replace(/^OAuth +/, '') ?? ''
  cloud.kill('SIGTERM')
  const { stdout } = await cloud.ended
  const { origin, port } = new URL(issuer)
  assert.deepEqual(
    stdout.split('\n').filter((line) => line.startsWith('export ')),
    [
      `export CLOUDSIGMA_OAUTH_URL=${origin} CLOUDSIGMA_OAUTH_REALM=trial`,
      'export CLOUDSIGMA_CLIENT_ID=kubernetes_cluster_service CLOUDSIGMA_CLIENT_SECRET=kcs-secret',
      `export CLOUDSIGMA_API_URL='http://direct.{region}.localhost:${port}' CLOUDSIGMA_REGIONS=zrh`,
    ],
  )
})

test('ascribe sandbox cloud refuses a knob that does not exist, and names the one that was meant', async () => {
  const { code, stderr } = await run(['sandbox', 'cloud', '--set', 'lstLagMs=0'])
  assert.equal(code, 2)
  assert.match(stderr, /no such knob; did you mean 'listLagMs'/)
})

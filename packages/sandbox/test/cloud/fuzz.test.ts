import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { API_ROUTES } from '../../src/cloud/api.ts'
import { type SandboxCloud, startSandboxCloud } from '../../src/cloud/start-cloud.ts'
import { type Api, actAs, askToken, call, firstOf } from './cloud-client.ts'

/** What the sandbox answers when it fails itself. */
const FAILED = 599

let cloud: SandboxCloud
let user: Api
let ids: string[]
before(async () => {
  cloud = await startSandboxCloud({
    seed: 31,
    clock: 'frozen',
    knobs: { impTtlS: 10_000_000, listLagMs: 0, rateLimitPerMinute: 0, deleteLimitPerMinute: 0 },
  })
  user = await actAs(cloud, 'user@example.com')
  const server = firstOf(await user.post('servers/', { name: 'x', cpu: 1000, mem: 536_870_912, vnc_password: 'x' })).uuid
  const drive = firstOf(await user.post('drives/', { name: 'x', size: 536_870_912, media: 'disk' })).uuid
  const tag = firstOf(await user.post('tags/', { name: 'x' })).uuid
  ids = [
    server,
    drive,
    tag,
    firstOf(await user.get('libdrives/')).uuid,
    firstOf(await user.get('vlans/')).uuid,
    firstOf(await user.get('ips/')).uuid,
    'none',
    'constructor',
  ]
})
after(() => cloud.close())

const FIELDS = [
  'name',
  'cpu',
  'mem',
  'smp',
  'vnc_password',
  'size',
  'media',
  'drives',
  'nics',
  'meta',
  'tags',
  'resources',
  'rules',
  'grantees',
  'objects',
  'resource',
  'clone_naming',
  'drive',
  'vlan',
  'ip_v4_conf',
  'conf',
  'ip',
  'mac',
  'dev_channel',
  'device',
  'permission',
  'uuid',
  'email',
]
const anyLeaf = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom('dhcp', 'static', 'disk', 'vlan', 'LIST', '0:0', '__proto__'),
)
const { body: anyBody } = fc.letrec<{ body: unknown }>((tie) => ({
  body: fc.oneof(
    { maxDepth: 4 },
    anyLeaf,
    fc.array(tie('body'), { maxLength: 3 }),
    fc
      .uniqueArray(fc.tuple(fc.constantFrom(...FIELDS), tie('body')), { maxLength: 6, selector: ([name]) => name })
      .map((entries) => Object.fromEntries(entries)),
  ),
}))
const anyQuery = fc.constantFrom(
  '',
  '?limit=1&offset=1',
  '?do=clone',
  '?do=start',
  '?do=resize',
  '?do=stop',
  '?do=constructor',
  '?recurse=all_drives',
  '?recurse=constructor',
  '?fields=uuid',
  '?order_by=-name',
  '?tag=x,y',
  '?limit=-1',
)

test('whatever is sent to API 2.0, it is the cloud that answers and never a defect of the sandbox', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...API_ROUTES), fc.nat(7), anyQuery, anyBody, async (route, which, query, body) => {
      const [method = '', path = ''] = route.split(' ')
      const url = `${cloud.regions['zrh']?.api}/api/2.0/${path.replace(':id', encodeURIComponent(ids[which] ?? ''))}/${query}`
      const reply = await call(url, {
        method,
        headers: { authorization: `Bearer ${user.token}` },
        ...(method !== 'GET' && { body: JSON.stringify(body) }),
      })
      assert.notEqual(reply.status, FAILED, `${method} ${url} ${JSON.stringify(body)}: ${reply.text}`)
      cloud.clock.advance(700)
    }),
    { numRuns: 200 },
  )
})

test('whatever is sent to the token endpoint and to step 3, they answer', async () => {
  const names = [
    'grant_type',
    'client_id',
    'client_secret',
    'audience',
    'permission',
    'response_mode',
    'rpt',
    'ticket',
    'subject_token',
    'scope',
    'response_permissions_limit',
  ]
  const values = fc.oneof(
    fc.string(),
    fc.constantFrom(
      'client_credentials',
      'urn:ietf:params:oauth:grant-type:uma-ticket',
      'kubernetes_cluster_service',
      'kcs-secret',
      'service_provider_api',
      'a.b.c',
      '#,',
      '1',
    ),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.constantFrom(...names), values),
      fc.constantFrom('', 'Bearer', 'Bearer x.y.z', 'Basic !', 'Basic OiU='),
      anyBody,
      async (form, authorization, body) => {
        const headers = authorization === '' ? {} : { authorization }
        assert.notEqual((await askToken(cloud, form, headers)).status, FAILED)
        const url = `${cloud.regions['zrh']?.api}/service_provider/api/v1/user/impersonate`
        assert.notEqual((await call(url, { method: 'POST', body: JSON.stringify(body), headers })).status, FAILED)
      },
    ),
    { numRuns: 60 },
  )
})

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { createCloudSigma } from '@ascribe/cloudsigma'
import { createHttpTransport, createTokenSource } from '@ascribe/impersonation'
import type { Transport } from '@ascribe/impersonation'
import { startSandboxCloud } from '@ascribe/sandbox'
import type { SandboxCloud } from '@ascribe/sandbox'
import { createLogger, createMeters, tryLock } from '@ascribe/service'
import { cloudAccessOf } from '../src/cloud/cloud-access.ts'
import { createMintLog } from '../src/cloud/mint-log.ts'
import { observedSteps } from '../src/cloud/observed-steps.ts'
import { loadCliConfig } from '../src/config.ts'
import { dataDirAt } from '../src/data-dir.ts'

const OWNER = 'user@example.com'
const SECRET = 'CANARY-client-secret'

/** All that can be reached from a thrown value: every property, hidden ones, getters and causes too. */
function everythingOf(thrown: unknown, seen: Set<unknown> = new Set()): string {
  if ((typeof thrown !== 'object' && typeof thrown !== 'function') || thrown === null) return String(thrown)
  if (seen.has(thrown)) return ''
  seen.add(thrown)
  const own = Reflect.ownKeys(thrown).map((key) => `${String(key)}=${everythingOf(Reflect.get(thrown, key), seen)}`)
  return [inspect(thrown, { depth: 20, showHidden: true, getters: true }), ...own].join('\n')
}

/** Remembers every token that comes back, and every credential that goes out. */
function listening(transport: Transport, secrets: Set<string>): Transport {
  return async (request) => {
    const { authorization } = request.headers
    if (authorization !== undefined) secrets.add(authorization.replace(/^\w+ /, ''))
    const response = await transport(request)
    const token = /"access_token":\s*"([^"]+)"/.exec(response.body)?.[1]
    if (token !== undefined && token !== '') secrets.add(token)
    return response
  }
}

const SPEC = {
  name: 'kdc',
  cpuMhz: 2000,
  memBytes: 2 ** 30,
  vncPassword: 'CANARY-vnc',
  meta: { 'cloudinit-user-data': 'CANARY-join-token' },
}

/** What goes wrong, one after the other; the first is nothing. */
const FAULTS: readonly ((cloud: SandboxCloud) => void)[] = [
  () => {},
  (cloud) => void cloud.addFault({ match: { step: 'impersonate' }, does: { status: 504, body: 'html' } }),
  (cloud) => void cloud.addFault({ match: { step: 'rpt' }, does: { status: 403, body: 'oauth' } }),
  (cloud) => void cloud.addFault({ match: { step: 'service-token' }, does: { truncateAt: 40 } }),
  (cloud) => void cloud.addFault({ match: { step: 'impersonate' }, does: { redirect: 'http://127.0.0.1:1/' } }),
  (cloud) => void cloud.addFault({ match: { step: 'impersonate' }, does: { set: { token_type: 'mac' } } }),
  (cloud) => void cloud.addFault({ match: { step: 'api' }, does: { drop: 'after' } }),
  (cloud) => void cloud.addFault({ match: { step: 'api', method: 'POST' }, does: { status: 400, message: 'CANARY-vnc is no password' } }),
  (cloud) => void cloud.addFault({ match: { step: 'api', method: 'POST' }, does: { truncateAt: 60 } }),
  (cloud) => cloud.changeUser(OWNER, { state: 'SUSPENDED' }),
  (cloud) => void cloud.revokeTokens(),
  (cloud) => cloud.changeClient('kubernetes_cluster_service', { secret: 'CANARY-another' }),
]

test(
  'H-15, R-37: no token, secret, password or bootstrap data is in a log, an error, a metric or the trail, whatever goes wrong',
  { timeout: 60_000 },
  async () => {
    await using stack = new AsyncDisposableStack()
    const root = stack.adopt(mkdtempSync(join(tmpdir(), 'ascribe-canaries-')), (path) => rmSync(path, { recursive: true }))
    const secrets = new Set([SECRET, 'CANARY-another', 'CANARY-vnc', 'CANARY-join-token'])
    const said: string[] = []
    let failures = 0
    for (const fault of FAULTS) {
      await using cloud = await startSandboxCloud({ knobs: { listLagMs: 0 } })
      cloud.changeClient('kubernetes_cluster_service', { secret: SECRET })
      const stream = new PassThrough()
      stream.on('data', (chunk: Buffer) => said.push(chunk.toString()))
      const logger = createLogger({ name: 'test', level: 'debug', format: 'json', stream })
      const meters = createMeters()
      const env = {
        CLOUDSIGMA_OAUTH_URL: cloud.oauthUrl,
        CLOUDSIGMA_CLIENT_ID: 'kubernetes_cluster_service',
        CLOUDSIGMA_CLIENT_SECRET: SECRET,
        CLOUDSIGMA_API_URL: cloud.apiUrl,
      }
      const access = cloudAccessOf(loadCliConfig({ env, dir: dataDirAt(root) }).value.cloud)
      assert.ok(access.mode === 'impersonation')
      using http = createHttpTransport()
      const transport = listening(http, secrets)
      const seen: unknown[] = []
      using source = createTokenSource({
        ...access,
        transport,
        logger,
        meters,
        steps: observedSteps({ ...access, transport }, (step) => void seen.push(step)),
        audit: createMintLog(dataDirAt(root).mintLog, tryLock),
        limits: { sweepMs: 0 },
      })
      const ownerUuid = cloud.users.find(({ email }) => email === OWNER)?.uuid ?? ''
      const authenticator = source.authenticator({ ownerUuid, ownerEmail: OWNER, region: 'zrh', bindingGeneration: 1 })
      await using client = createCloudSigma({
        endpoint: access.regions.endpoint('zrh'),
        authenticator,
        logger,
        meters,
        wait: async () => {},
      })
      if (fault === FAULTS.at(-2)) await client.account.profile()
      fault(cloud)
      const attempt = async (work: () => Promise<unknown>): Promise<void> => {
        try {
          said.push(inspect(await work(), { depth: 20, showHidden: true }))
        } catch (error) {
          failures += 1
          said.push(everythingOf(error), JSON.stringify(error), String(error))
        }
      }
      await attempt(() => source.discover({ ownerEmail: OWNER, region: 'zrh' }))
      await attempt(() => source.token({ ownerUuid, ownerEmail: OWNER, region: 'zrh', bindingGeneration: 1 }))
      await attempt(() => client.account.profile())
      await attempt(() => client.servers.create(SPEC))
      await attempt(() => client.servers.list())
      said.push(
        everythingOf(source.inspect()),
        inspect(source, { depth: 20, showHidden: true, getters: true }),
        inspect(seen, { depth: 9 }),
      )
      said.push(meters.render())
    }
    said.push(readFileSync(dataDirAt(root).mintLog, 'utf8'))
    assert.ok(failures >= FAULTS.length, `only ${failures} failures`)
    assert.ok(secrets.size > FAULTS.length, `only ${secrets.size} secrets were seen`)
    const all = said.join('\n')
    for (const secret of secrets) assert.ok(!all.includes(secret), `${secret.slice(0, 12)}… was said near ${nearby(all, secret)}`)
    // Nor anything else that looks like a token.
    assert.doesNotMatch(all, /eyJ[\w-]{20,}\.eyJ/)
  },
)

function nearby(all: string, secret: string): string {
  const at = all.indexOf(secret)
  return all.slice(Math.max(0, at - 200), at)
}

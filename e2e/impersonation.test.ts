import assert from 'node:assert/strict'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createIssuer, createRegionTable, createTokenSource, fileSecret } from '@ascribe/impersonation'
import type { MintAudit, OwnerRequest, TokenSource } from '@ascribe/impersonation'
import { startSandboxCloud } from '@ascribe/sandbox'
import type { SandboxCloud } from '@ascribe/sandbox'

// The token source against the sandbox cloud: what it costs there, read from the cloud's own ledger of calls.

const CLIENT = 'kubernetes_cluster_service'

type Stage = AsyncDisposable & {
  readonly cloud: SandboxCloud
  readonly source: TokenSource
  readonly audits: MintAudit[]
  owner(email?: string): OwnerRequest
  /** Puts another secret into the file that the source reads. */
  writeSecret(secret: string): Promise<void>
  /** How often the cloud saw a step. */
  count(step: string): number
}

async function stage(): Promise<Stage> {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await mkdtempDisposable(join(tmpdir(), 'ascribe-tokens-')))
  const cloud = stack.use(await startSandboxCloud({ seed: 7 }))
  const path = join(folder.path, 'secret')
  await writeFile(path, cloud.clients.find(({ id }) => id === CLIENT)?.secret ?? '')
  const audits: MintAudit[] = []
  const source = stack.use(
    createTokenSource({
      issuer: createIssuer({ oauthUrl: cloud.oauthUrl, realm: cloud.realm }),
      clientId: CLIENT,
      secret: fileSecret(path),
      regions: createRegionTable({ template: cloud.apiUrl, regions: ['zrh', 'sjc'] }),
      audit: async (record) => void audits.push(record),
    }),
  )
  const held = stack.move()
  return {
    cloud,
    source,
    audits,
    owner(email = 'user@example.com') {
      const ownerUuid = cloud.users.find((user) => user.email === email)?.uuid ?? assert.fail(`no user ${email}`)
      return { ownerUuid, ownerEmail: email, region: 'zrh', bindingGeneration: 1 }
    },
    writeSecret: (secret) => writeFile(path, secret),
    count: (step) => cloud.calls().filter((call) => call.step === step).length,
    [Symbol.asyncDispose]: () => held[Symbol.asyncDispose](),
  }
}

async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'a token',
    (error: { reason?: unknown }) => error.reason,
  )
}

test('token() of 50 machines of one owner at once costs the cloud one call of each step', async () => {
  await using world = await stage()
  const tokens = await Promise.all(Array.from({ length: 50 }, () => world.source.token(world.owner())))
  assert.equal(new Set(tokens).size, 1)
  assert.deepEqual(
    ['service-token', 'rpt', 'impersonate', 'api'].map((step) => world.count(step)),
    [1, 1, 1, 1],
  )
})

test('token() acts as each owner in each region, and every token has its line', async () => {
  await using world = await stage()
  const requests = ['user@example.com', 'other@example.com'].flatMap((email) =>
    ['zrh', 'sjc'].map((region) => ({ ...world.owner(email), region })),
  )
  const tokens = await Promise.all(requests.map((request) => world.source.token(request)))
  for (const [index, token] of tokens.entries()) {
    assert.equal(token.subject, requests[index]?.ownerUuid)
    assert.equal(new URL(token.origin).hostname, `direct.${requests[index]?.region}.localhost`)
  }
  assert.deepEqual([world.count('service-token'), world.count('rpt'), world.count('impersonate'), world.audits.length], [1, 1, 4, 4])
})

test('token() refuses the token of somebody else, whatever the cloud gives (R-2)', async () => {
  await using world = await stage()
  world.cloud.setKnobs({ impersonateGives: 'other@example.com' })
  assert.equal(await reasonOf(world.source.token(world.owner())), 'subject_mismatch')
  assert.deepEqual(
    world.audits.map(({ outcome, reason }) => [outcome, reason]),
    [['refused', 'subject_mismatch']],
  )
})

test('token() takes the secret from its file when it mints, and says that an old one is refused', async () => {
  await using world = await stage()
  world.cloud.changeClient(CLIENT, { secret: 'another-secret' })
  assert.equal(await reasonOf(world.source.token(world.owner())), 'client_refused')
  await using fresh = await stage()
  await fresh.writeSecret('another-secret')
  fresh.cloud.changeClient(CLIENT, { secret: 'another-secret' })
  assert.equal((await fresh.source.token(fresh.owner())).subject, fresh.owner().ownerUuid)
})

test('token() tells refusals from troubles, as the cloud answers them', async () => {
  await using world = await stage()
  const nobody = { ...world.owner(), ownerEmail: 'nobody@example.com' }
  assert.equal(await reasonOf(world.source.token(nobody)), 'user_unknown')
  world.cloud.addFault({ match: { step: 'impersonate' }, does: { status: 504, body: 'html' } })
  assert.equal(await reasonOf(world.source.token(world.owner('other@example.com'))), 'server_error')
  world.cloud.clearFaults()
  assert.equal(await reasonOf(world.source.token(world.owner())), 'a token')
})

test('discover() finds who an address is, and the cloud sees one read of the profile', async () => {
  await using world = await stage()
  const found = await world.source.discover({ ownerEmail: 'other@example.com', region: 'sjc' })
  assert.equal(found.ownerUuid, world.owner('other@example.com').ownerUuid)
  assert.deepEqual(
    world.cloud.calls().map(({ step, path }) => (step === 'api' ? path : step)),
    ['service-token', 'rpt', 'impersonate', '/api/2.0/profile/'],
  )
  assert.equal(world.source.inspect().entries, 0)
})

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { listenOn } from '@ascribe/service'
import { until } from './peers/support/until.ts'
import { chat } from './support/client.ts'
import { ask, run, start } from './support/process.ts'
import type { Running } from './support/process.ts'
import { temporaryDir, up } from './support/product.ts'

/*
 * The life of a key as its owner sees it, at real gateway processes: one beside everything else in `ascribe up`, and one alone that nobody
 * but the policy snapshot on disk speaks to.
 */

type Key = { readonly auth_id: string; readonly key: string; readonly expires_at?: string }
type Rotated = { readonly key: string; readonly old_key_ends_at: string; readonly expires_at?: string }

/** Whether a gateway lets a key in; asking for the models costs nothing and needs no engine. */
async function lets(gateway: string, key: string): Promise<boolean> {
  const { status } = await fetch(`${gateway}/v1/models`, { headers: { authorization: `Bearer ${key}` } })
  assert.ok(status === 200 || status === 401, `status ${status}`)
  return status === 200
}

/** Asks again and again until the key is refused; fails if a request that was sent at its end or later was let in, or one answered before it refused. */
async function assertEndsAt(gateway: string, key: string, endsAt: number): Promise<void> {
  for (;;) {
    const sentAt = Date.now()
    const isIn = await lets(gateway, key)
    if (isIn) assert.ok(sentAt < endsAt, `let in ${sentAt - endsAt} ms after its end`)
    else {
      assert.ok(Date.now() >= endsAt, `refused ${endsAt - Date.now()} ms before its end`)
      return
    }
  }
}

async function startGateway(dir: string): Promise<Running & { readonly url: string }> {
  const gateway = start(['gateway', '--json', '--data', dir, '--port', '0', '--metrics-port', '0', '--upstream', 'http://127.0.0.1:9'])
  const line = await gateway.firstLine
  if (line === undefined) throw new Error(`the gateway did not come up:\n${(await gateway.ended).stderr}`)
  return { ...gateway, url: (JSON.parse(line) as { readonly gateway: string }).gateway }
}

test('a key is rotated without a gap, ends at its stated time, and is revoked everywhere before the command returns', async () => {
  using dir = temporaryDir()
  await using product = await up(dir.path)
  await using other = await startGateway(dir.path)
  const gateways = [product.ready.gateway, other.url]
  const everywhere = (key: string): Promise<boolean[]> => Promise.all(gateways.map((gateway) => lets(gateway, key)))
  const first = await product.cli<Key>('keys', 'create', '--org', 'Demo')
  assert.deepEqual(await everywhere(first.key), [true, true])

  const rotated = await product.cli<Rotated>('keys', 'rotate', first.auth_id, '--overlap', '3s')
  assert.deepEqual(
    [await everywhere(first.key), await everywhere(rotated.key)],
    [
      [true, true],
      [true, true],
    ],
    'both together',
  )
  await chat({ gateway: product.ready.gateway, key: first.key, stream: false, maxTokens: 2 })
  await chat({ gateway: product.ready.gateway, key: rotated.key, stream: false, maxTokens: 2 })
  await Promise.all(gateways.map((gateway) => assertEndsAt(gateway, first.key, Date.parse(rotated.old_key_ends_at))))
  assert.deepEqual(await everywhere(rotated.key), [true, true])
  const events = await product.eventsUntil(2)
  assert.deepEqual(new Set(events.map((event) => event.auth_id)), new Set([first.auth_id]), 'one auth id, whichever key')
  type Listed = { readonly auth_id: string; readonly last_used_at?: string; readonly secrets: readonly { readonly end_cause?: string }[] }
  const used = async (): Promise<Listed | undefined> =>
    (await product.cli<Listed[]>('keys', 'list')).find((key) => key.auth_id === first.auth_id)
  await until(async () => (await used())?.last_used_at !== undefined, 'the last use is known')
  assert.deepEqual(
    (await used())?.secrets.map(({ end_cause: cause }) => cause),
    [undefined, 'rotation'],
  )

  await product.cli('keys', 'revoke', first.auth_id)
  assert.deepEqual(await everywhere(rotated.key), [false, false], 'nowhere, once the command has returned')
})

test('a gateway ends a key at its stated time though no settler lives to tell it', async () => {
  using dir = temporaryDir()
  await ask(['orgs', 'create', '--name', 'Acme', '--data', dir.path])
  const key = await ask<Key>(['keys', 'create', '--org', 'Acme', '--expires-in', '8s', '--data', dir.path])
  await using gateway = await startGateway(dir.path)
  await assertEndsAt(gateway.url, key.key, Date.parse(key.expires_at ?? ''))
})

test('the server secret is rotated with the keys kept: old keys work until their secret is taken away', async () => {
  using dir = temporaryDir()
  const secretFile = join(dir.path, 'secrets', 'server-secret')
  await ask(['orgs', 'create', '--name', 'Acme', '--data', dir.path])
  const create = (): Promise<Key> => ask<Key>(['keys', 'create', '--org', 'Acme', '--data', dir.path])
  const before = await create()
  const old = readFileSync(secretFile, 'utf8')
  const fresh = `${randomBytes(32).toString('hex')}\n`
  writeFileSync(secretFile, fresh + old)
  const after = await create()
  type Listed = { readonly auth_id: string; readonly secrets: readonly { readonly server_secret: string }[] }
  const listed = await ask<Listed[]>(['keys', 'list', '--data', dir.path])
  assert.deepEqual(
    listed.map(({ auth_id: id, secrets }) => [id, secrets[0]?.server_secret]),
    [
      [before.auth_id, 'older'],
      [after.auth_id, 'newest'],
    ],
  )
  {
    await using gateway = await startGateway(dir.path)
    assert.deepEqual([await lets(gateway.url, before.key), await lets(gateway.url, after.key)], [true, true])
  }
  writeFileSync(secretFile, fresh)
  await using gateway = await startGateway(dir.path)
  assert.deepEqual([await lets(gateway.url, before.key), await lets(gateway.url, after.key)], [false, true])
})

test('directory sync: plans, makes, finds it made, and names file, line and mend', async () => {
  using dir = temporaryDir()
  const cli = (...args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> =>
    run([...args, '--data', dir.path])
  const { id } = await ask<{ readonly id: string }>(['orgs', 'create', '--name', 'Acme', '--data', dir.path])
  mkdirSync(dir.path, { recursive: true })
  const file = join(dir.path, 'people.yaml')
  writeFileSync(
    file,
    `users:\n  - id: ann\n    organizations: [${id}]\nmappings:\n  - { auth_id: tok-1, organization: ${id}, user: ann }\n`,
  )
  const planned = await cli('directory', 'sync', file, '--dry-run')
  assert.equal(planned.code, 0, planned.stderr)
  assert.match(planned.stdout, /new user ann\n/)
  assert.match(planned.stderr, /dry run/)
  type Synced = { readonly dry_run: boolean; readonly changes: readonly unknown[]; readonly summary: Readonly<Record<string, unknown>> }
  const sync = (): Promise<Synced> => ask<Synced>(['directory', 'sync', file, '--data', dir.path])
  assert.deepEqual((await sync()).summary, { user: { create: 1 }, organization_member: { create: 1 }, mapping: { create: 1 } })
  assert.deepEqual((await sync()).changes, [])
  writeFileSync(file, 'users:\n  - id: ann\n    grups: [x]\n')
  const refused = await cli('directory', 'sync', file)
  assert.equal(refused.code, 2)
  assert.ok(refused.stderr.includes(`${file}:3: unknown key "grups" in users; did you mean "groups"?`), refused.stderr)
  const unknown = await cli('keys', 'create', '--org', 'Acne')
  assert.match(unknown.stderr, /Did you mean "Acme"\?/)
})

test('directory sync reads an address with the Authorization that it wants, and follows it nowhere else', async () => {
  using dir = temporaryDir()
  const seen: (string | undefined)[] = []
  const server = createServer((request, reply) => {
    seen.push(request.headers['authorization'])
    if (request.url === '/moved') reply.writeHead(302, { location: '/people' }).end()
    else if (request.headers['authorization'] !== 'token t0p') reply.writeHead(401).end()
    else reply.writeHead(200, { 'content-type': 'application/x-ndjson' }).end('{"kind":"user","id":"ann"}\n{"kind":"user","id":"bob"}\n')
  })
  const { port } = await listenOn(server, { host: '127.0.0.1', port: 0 })
  try {
    const sync = (path: string, authorization: string): ReturnType<typeof run> =>
      run(['directory', 'sync', `http://127.0.0.1:${port}${path}`, '--json', '--data', dir.path], {
        env: { ASCRIBE_DIRECTORY_AUTHORIZATION: authorization },
      })
    const done = await sync('/people?page=all', 'token t0p')
    assert.equal(done.code, 0, done.stderr)
    assert.deepEqual((JSON.parse(done.stdout) as { readonly summary: unknown }).summary, { user: { create: 2 } })
    const refused = await sync('/people', 'token wr0ng')
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /answers 401[^]*directory\.authorization/)
    assert.doesNotMatch(refused.stderr, /wr0ng/)
    const moved = await sync('/moved', 'token t0p')
    assert.equal(moved.code, 1)
    assert.match(moved.stderr, /a redirect, which is not followed/)
    assert.equal(seen.length, 3)
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
})

test('users add: gives a role in the organizations that are named beside it, and says so', async () => {
  using dir = temporaryDir()
  const at = ['--data', dir.path]
  const { id: acme } = await ask<{ readonly id: string }>(['orgs', 'create', '--name', 'Acme', ...at])
  await ask(['users', 'add', '--id', 'ann', '--org', 'Acme', '--role', 'admin', ...at])
  type Listed = { readonly organizations: readonly string[]; readonly roles?: Readonly<Record<string, string>> }
  const [ann] = await ask<Listed[]>(['users', 'list', ...at])
  assert.deepEqual([ann?.organizations, ann?.roles], [[acme], { [acme]: 'admin' }])
  const nowhere = await run(['users', 'add', '--id', 'ann', '--role', 'admin', ...at])
  assert.deepEqual([nowhere.code, /none is named/.test(nowhere.stderr)], [2, true])
})

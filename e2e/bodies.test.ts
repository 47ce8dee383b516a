import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { run } from './support/process.ts'
import { temporaryDir, up } from './support/product.ts'

type Body = { readonly text: string | null; readonly assembled: boolean }
type Entry = { readonly event_id: string; readonly auth_id: string; readonly request: Body; readonly reply: Body }

test('bodies of a key that has agreed are kept, redacted, shown, and erased; those of another are not', { timeout: 120_000 }, async () => {
  using dir = temporaryDir()
  writeFileSync(join(dir.path, 'ascribe.yaml'), 'body_log:\n  enabled: true\n')
  await using product = await up(dir.path)
  const { ready } = product
  const other = await product.cli<{ key: string }>('keys', 'create', '--org', ready.organization.id)
  await product.cli('keys', 'terms', ready.auth_id, '--body-log', '100%')
  for (const [key, stream] of [
    [ready.key, false],
    [ready.key, true],
    [other.key, false],
  ] as const) {
    const body = { model: 'sandbox-small', stream, max_tokens: 3, messages: [{ role: 'user', content: 'Write to ada@example.com' }] }
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` }
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await (await fetch(`${ready.gateway}/v1/chat/completions`, { method: 'POST', headers, body: JSON.stringify(body) })).text()
  }
  const events = await product.eventsUntil(3)
  const list = async (): Promise<readonly Entry[]> =>
    (await run(['bodies', 'list', '--data', dir.path, '--json'])).stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Entry)
  // Written by a thread that nobody waits for.
  let entries = await list()
  for (let look = 0; entries.length < 2 && look < 50; look += 1) {
    // oxlint-disable-next-line no-await-in-loop -- each look is a process
    entries = await list()
  }
  assert.deepEqual(
    entries.map(({ event_id: id }) => id).toSorted(),
    events
      .filter(({ auth_id: authId }) => authId === ready.auth_id)
      .map(({ event_id: id }) => id)
      .toSorted(),
  )
  assert.ok(!JSON.stringify(entries).includes('ada@'))
  assert.deepEqual(
    entries.map(({ reply }) => reply.assembled),
    [false, true],
  )
  const [first] = entries
  const shown = await run(['bodies', 'show', first?.event_id ?? '', '--data', dir.path])
  assert.match(shown.stdout, /── request .*\n.*Write to \[redacted\]/)
  const missing = await run([
    'bodies',
    'show',
    events.find(({ auth_id: authId }) => authId !== ready.auth_id)?.event_id ?? '',
    '--data',
    dir.path,
  ])
  assert.notEqual(missing.code, 0)
  assert.match(missing.stderr, /nothing is kept of it on this machine/)
  assert.notEqual((await run(['bodies', 'erase', '--data', dir.path])).code, 0)
  await run(['bodies', 'erase', '--auth-id', ready.auth_id, '--yes', '--data', dir.path])
  assert.deepEqual(await list(), [])
})

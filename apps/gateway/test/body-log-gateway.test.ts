import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { ScopedTerms } from '@ascribe/identity'
import { startEngine } from '@ascribe/sandbox'
import { readBodies } from '../src/body-log/index.ts'
import type { BodyEntry } from '../src/body-log/index.ts'
import { CHAT, IDENTITY, SERVER_SECRET, ask, startTestGateway } from './support.ts'
import type { Ask } from './support.ts'

const SETTINGS = { bodyBytesMax: 64 * 1024, retentionMs: 3_600_000, diskBytesMax: 1 << 20, redact: [], redactMembers: [] } as const

type World = { readonly terms?: readonly ScopedTerms[]; readonly enabled?: boolean; readonly asks: readonly Ask[] }

/** What the body log of a gateway holds after some requests. */
async function keptOf(t: TestContext, { terms, enabled = true, asks }: World): Promise<readonly BodyEntry[] | 'no folder'> {
  const dir = mkdtempSync(join(tmpdir(), 'ascribe-bodies-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const bodies = join(dir, 'bodies')
  const engine = await startEngine()
  t.after(() => engine.close())
  const world = await startTestGateway(t, { upstream: engine.url, data: dir, ...(enabled && { bodyLog: SETTINGS }) })
  if (terms !== undefined) await world.setTerms(terms)
  for (const each of asks) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await ask(world.url, each)
  }
  await world.gateway.close({ graceMs: 1000 })
  return existsSync(bodies) ? Array.fromAsync(readBodies({ dir: bodies, serverSecret: SERVER_SECRET })) : 'no folder'
}

const of = (scope: ScopedTerms['scope'], subject: string, bodySample: number): ScopedTerms => ({ scope, subject, bodySample })
const asked: Ask = { headers: { ...IDENTITY, 'X-Saturn-Group-Id': 'research', 'Content-Type': 'application/json' } }

test('reference defect 23: bodies are nobody’s business until a credential or its group has agreed, and the installation keeps a log', async (t) => {
  assert.equal(await keptOf(t, { asks: [asked] }), 'no folder')
  assert.equal(await keptOf(t, { asks: [asked], terms: [of('credential', 'somebody else', 1_000_000)] }), 'no folder')
  assert.equal(await keptOf(t, { asks: [asked], terms: [of('credential', 'auth-1', 0)] }), 'no folder')
  assert.equal(await keptOf(t, { asks: [asked], terms: [of('credential', 'auth-1', 1_000_000)], enabled: false }), 'no folder')
})

test('what a credential or a group has agreed to is kept, whole, under the event id of its record', async (t) => {
  for (const terms of [of('credential', 'auth-1', 1_000_000), of('group', 'research', 1_000_000)]) {
    // oxlint-disable-next-line no-await-in-loop -- a gateway each
    const entries = await keptOf(t, { asks: [asked, { headers: { ...IDENTITY, 'X-Saturn-Auth-Id': 'other' } }], terms: [terms] })
    assert.ok(entries !== 'no folder')
    assert.deepEqual(
      entries.map(({ authId, groupId, model, status, outcome }) => [authId, groupId, model, status, outcome]),
      [['auth-1', 'research', CHAT.model, 200, 'completed']],
    )
    assert.equal(entries[0]?.request.text, JSON.stringify(CHAT))
    assert.match(entries[0]?.reply.text ?? '', /"usage":\{"prompt_tokens":.*\}$/)
  }
})

test('a client that chooses its request id does not choose whether it is in the sample', async (t) => {
  const asks = Array.from({ length: 40 }, () => ({ ...asked, headers: { ...IDENTITY, 'X-Request-Id': 'the-same' } }))
  const entries = await keptOf(t, { asks, terms: [of('credential', 'auth-1', 500_000)] })
  assert.ok(entries !== 'no folder' && entries.length > 2 && entries.length < 38, String(entries.length))
})

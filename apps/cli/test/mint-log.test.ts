import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import type { MintAudit } from '@ascribe/impersonation'
import { tryLock } from '@ascribe/service'
import { CHAIN_START, createMintLog, digestOf } from '../src/cloud/mint-log.ts'
import { backOffUntil, readMintTrail } from '../src/cloud/read-mint-log.ts'

const OWNER = '11111111-1111-4111-8111-111111111111'
const AT = Date.UTC(2026, 10, 22, 12)

const root = mkdtempSync(join(tmpdir(), 'ascribe-mints-'))
after(() => rmSync(root, { recursive: true, force: true }))
let path = ''
let count = 0
beforeEach(() => {
  count += 1
  path = join(root, String(count), 'audit', 'mints.jsonl')
})

const record = (changes: Partial<MintAudit> = {}): MintAudit => ({
  at: AT,
  act: 'mint',
  outcome: 'minted',
  reason: undefined,
  cause: 'first',
  actor: { program: 'test' },
  ownerUuid: OWNER,
  bindingGeneration: 3,
  region: 'zrh',
  origin: 'https://direct.zrh.example',
  issuer: 'https://oauth.example/realms/x',
  clientId: 'c',
  requestId: 'r',
  tokenId: 'a'.repeat(64),
  tokenActor: undefined,
  lifeMs: 60_000,
  ...changes,
})

const linesOf = (): string[] => readFileSync(path, 'utf8').trim().split('\n')

test('createMintLog() has its line on disk, for its owner alone, when it resolves; each holds the digest of the one before', async () => {
  const write = createMintLog(path, tryLock)
  await write(record())
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(statSync(dirname(path)).mode & 0o777, 0o700)
  await write(
    record({ act: 'discover', ownerUuid: undefined, outcome: 'refused', reason: 'user_unknown', tokenId: undefined, lifeMs: undefined }),
  )
  const [first = '', second = ''] = linesOf()
  assert.deepEqual(JSON.parse(first), {
    at: '2026-11-22T12:00:00Z',
    act: 'mint',
    outcome: 'minted',
    cause: 'first',
    actor: { program: 'test' },
    owner: OWNER,
    binding_generation: 3,
    region: 'zrh',
    origin: 'https://direct.zrh.example',
    issuer: 'https://oauth.example/realms/x',
    client_id: 'c',
    request_id: 'r',
    token_id: 'a'.repeat(64),
    life_ms: 60_000,
    prev: CHAIN_START,
  })
  assert.equal((JSON.parse(second) as { prev: string }).prev, digestOf(first))
})

test('createMintLog() keeps one chain though many write at once, in this process and in others', { timeout: 60_000 }, async () => {
  const writers = Array.from({ length: 4 }, () => createMintLog(path, tryLock))
  await Promise.all(Array.from({ length: 10 }, () => writers.map((write) => write(record()))).flat())
  const program = `
    import { createMintLog } from ${JSON.stringify(new URL('../src/cloud/mint-log.ts', import.meta.url).href)}
    import { tryLock } from ${JSON.stringify(import.meta.resolve('@ascribe/service'))}
    const write = createMintLog(${JSON.stringify(path)}, tryLock)
    for (let i = 0; i < 20; i += 1) await write(${JSON.stringify(record())})`
  execFileSync(process.execPath, ['--input-type=module', '--disable-warning=ExperimentalWarning', '-e', program], {
    cwd: import.meta.dirname,
  })
  const { lines, breaks, torn } = await readMintTrail(path)
  assert.deepEqual({ lines, breaks, torn }, { lines: 60, breaks: [], torn: 0 })
})

test('createMintLog() begins a new line after one that a crash cut off, and the reader says so', async () => {
  const write = createMintLog(path, tryLock)
  await write(record())
  await write(record())
  truncateSync(path, statSync(path).size - 40)
  await write(record())
  const { lines, torn, breaks, owners } = await readMintTrail(path)
  assert.deepEqual([lines, torn, breaks], [3, 1, []])
  assert.equal(owners[0]?.mints, 2)
})

test('createMintLog() rejects when the disk does not take the line, so that no token is handed out', async () => {
  mkdirSync(dirname(path), { recursive: true })
  mkdirSync(path)
  await assert.rejects(createMintLog(path, tryLock)(record()), { code: 'MINT_LOG_UNWRITABLE', retryable: true })
})

test('readMintTrail() finds what was changed, taken out and put in', async () => {
  const write = createMintLog(path, tryLock)
  for (let index = 0; index < 5; index += 1) await write(record({ lifeMs: index }))
  const lines = linesOf()
  const breaksOf = async (changed: readonly string[]): Promise<readonly number[]> => {
    writeFileSync(path, `${changed.join('\n')}\n`)
    return (await readMintTrail(path)).breaks
  }
  assert.deepEqual(await breaksOf(lines), [])
  assert.deepEqual(await breaksOf(lines.with(2, (lines[2] ?? '').replace('zrh', 'sjc'))), [4])
  assert.deepEqual(await breaksOf(lines.toSpliced(1, 1)), [2])
  assert.deepEqual(await breaksOf(lines.toSpliced(2, 0, lines[1] ?? '')), [3])
  assert.deepEqual(await breaksOf(lines.slice(1)), [1])
})

test('readMintTrail() of no trail is an empty one', async () => {
  assert.deepEqual(await readMintTrail(path), { owners: [], lines: 0, torn: 0, breaks: [] })
})

test('readMintTrail() counts what each owner got, and backOffUntil() how long a refused one is left alone', async () => {
  const write = createMintLog(path, tryLock)
  const refused = (at: number): MintAudit => record({ at, outcome: 'refused', reason: 'permission_denied' })
  await write(record())
  await write(record({ act: 'discover' }))
  for (const minute of [1, 2, 3]) await write(refused(AT + minute * 60_000))
  const [trail] = (await readMintTrail(path)).owners
  assert.ok(trail)
  assert.deepEqual(
    [trail.mints, trail.discoveries, trail.refusals, trail.refusalsInARow, trail.lastReason],
    [1, 1, 3, 3, 'permission_denied'],
  )
  // 30 s, 60 s, 120 s.
  assert.equal(backOffUntil(trail), AT + 3 * 60_000 + 120_000)
  for (let index = 0; index < 10; index += 1) await write(refused(AT + 200_000))
  assert.equal(backOffUntil((await readMintTrail(path)).owners[0] ?? trail), AT + 200_000 + 600_000)
  await write(record({ at: AT + 900_000 }))
  assert.equal(backOffUntil((await readMintTrail(path)).owners[0] ?? trail), undefined)
})

test('readMintTrail() reads on after a line that is no line', async () => {
  const write = createMintLog(path, tryLock)
  await write(record())
  appendFileSync(path, 'scribble\n')
  await write(record())
  const { lines, torn, breaks } = await readMintTrail(path)
  assert.deepEqual([lines, torn, breaks], [3, 1, []])
})

test('createMintLog() keeps a record on one line, whatever an actor is called, and refuses one that has no end', async () => {
  const write = createMintLog(path, tryLock)
  const name = 'a\u2028b\u2029c\r\nd "e" \u{1F600}'
  await write(record({ actor: { operator: name } }))
  await write(record())
  const { lines, breaks } = await readMintTrail(path)
  assert.deepEqual([lines, breaks], [2, []])
  assert.equal((JSON.parse(linesOf()[0] ?? '') as { actor: { operator: string } }).actor.operator, name)
  await assert.rejects(write(record({ actor: { operator: 'x'.repeat(20_000) } })), { code: 'MINT_LOG_UNWRITABLE' })
})

test('readMintTrail() never takes what somebody else wrote for a line of ours, nor fails by it', async () => {
  const write = createMintLog(path, tryLock)
  await write(record())
  const good = JSON.parse(linesOf()[0] ?? '') as object
  const foreign: unknown[] = [5, 'x', null, [], {}]
  for (const change of [
    { at: 5 },
    { at: 'yesterday' },
    { act: null },
    { outcome: 'lost' },
    { owner: { a: 1 } },
    { owner: '\u001b[31mred' },
    { region: 7 },
    { region: '\u001b' },
    { reason: ['a'] },
  ])
    foreign.push({ ...good, ...change })
  for (const line of foreign) {
    const prev = digestOf(linesOf().at(-1) ?? '')
    appendFileSync(
      path,
      `${JSON.stringify(typeof line === 'object' && line !== null && !Array.isArray(line) ? { ...line, prev } : line)}\n`,
    )
  }
  await write(record())
  const { owners, breaks, torn } = await readMintTrail(path)
  assert.deepEqual(
    breaks,
    foreign.map((_, index) => index + 2),
  )
  assert.deepEqual([torn, owners.length, owners[0]?.mints], [0, 1, 2])
})

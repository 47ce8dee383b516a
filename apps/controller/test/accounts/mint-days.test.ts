import assert from 'node:assert/strict'
import { appendFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Text } from '@ascribe/journal'
import { silentLogger } from '@ascribe/kit'
import type { MintDay } from '@ascribe/usage'
import { createMintDays } from '../../src/accounts/mint-days.ts'
import { createMintFold } from '../../src/accounts/mint-fold.ts'

const OWNER = 'f2a9e6a0-6a55-4f0e-9d5e-1b2c3d4e5f60'
const line = (at: string, outcome: string, owner = OWNER): string =>
  `${JSON.stringify({ at, act: 'mint', outcome, owner, region: 'zrh', prev: '0' })}\n`

test('emit() tells each owner of a day that is over, once, by a name that follows from trail, owner and day', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ascribe-mints-'))
  const path = join(folder, 'mints.jsonl')
  const days: MintDay[] = []
  const journal = {
    admit: (eventId: string) => ({
      eventId,
      written: Promise.resolve(),
      isPlaced: true,
      settlementBound: 1e6,
      settle: async (text: Text): Promise<void> => void days.push(JSON.parse(String(text)) as MintDay),
    }),
  }
  let now = Date.UTC(2026, 10, 22, 12)
  const create = () => createMintDays({ path, journal, controller: 'c', clock: () => now, logger: silentLogger })
  try {
    const first = create()
    await first.emit()
    assert.equal(days.length, 0, 'no trail, nothing to tell')
    await appendFile(
      path,
      line('2026-11-21T23:59:59.999Z', 'minted') + line('2026-11-21T08:00:00Z', 'refused') + line('2026-11-22T00:00:00Z', 'minted'),
    )
    await appendFile(path, 'torn{')
    await first.emit()
    await first.emit()
    assert.deepEqual(
      days.map(({ minted, refused, startedAt, userId, regions }) => ({ minted, refused, startedAt, userId, regions })),
      [{ minted: 1, refused: 1, startedAt: Date.UTC(2026, 10, 21), userId: OWNER, regions: ['zrh'] }],
    )
    now += 86_400_000
    await create().emit()
    const [told, again, next, ...others] = days
    assert.equal(others.length, 0)
    assert.deepEqual([again?.name, again?.eventId === told?.eventId], [told?.name, false])
    assert.equal(next?.minted, 1)
    // Nobody ran for a month: the last day before is told all the same. Midnight alone does not end a day: a mint of it may be under way.
    await appendFile(path, '\n' + line('2026-11-23T23:00:00Z', 'minted') + line('2026-12-24T23:59:00Z', 'minted'))
    now = Date.UTC(2026, 11, 25, 0, 0, 1)
    const later = create()
    await later.emit()
    assert.deepEqual(
      days.slice(3).map(({ startedAt }) => new Date(startedAt).toISOString().slice(5, 10)),
      ['11-21', '11-22', '11-23'],
    )
    await appendFile(path, line('2026-12-24T23:59:59.999Z', 'minted'))
    now += 600_000
    await later.emit()
    assert.deepEqual(
      days.slice(6).map(({ minted, startedAt }) => [minted, new Date(startedAt).toISOString().slice(5, 10)]),
      [[2, '12-24']],
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('createMintFold() gives an owner’s tokens to the act that comes next, and stores them before', async () => {
  const stored: string[] = []
  const fold = createMintFold(async ({ tokenId = '' }) => void stored.push(tokenId))
  const mint = (ownerUuid: string, tokenId: string) => fold.sink({ outcome: 'minted', ownerUuid, tokenId } as never)
  await mint('a', 't1')
  await mint('b', 't2')
  await mint('a', 't3')
  assert.deepEqual([fold.take('a'), fold.take('a'), fold.take('b')], [['t1', 't3'], [], ['t2']])
  assert.deepEqual(stored, ['t1', 't2', 't3'])
  const failing = createMintFold(() => Promise.reject(new Error('the disk is full')))
  await assert.rejects(failing.sink({ outcome: 'minted', ownerUuid: 'a', tokenId: 't' } as never))
  assert.deepEqual(failing.take('a'), [])
})

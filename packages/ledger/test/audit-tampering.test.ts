import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { DatabaseError } from '@ascribe/postgres'
import type { Queryable } from '@ascribe/postgres'
import type { TestDatabase } from '@ascribe/postgres/testing'
import fc from 'fast-check'
import { eraseAudit, findHeads, parseAuditSigner, readAccessLog, verifyAudit } from '../src/index.ts'
import type { SignedHead, Trail } from '../src/index.ts'
import { lineHash } from '../src/audit/entry.ts'
import type { ExportedLine } from '../src/audit/export.ts'
import { canonicalJson } from '../src/money/canonical-json.ts'
import { ORG, OTHER, ada, exported, kindsOf, newKeyPem, openTrail, publicKeys, signer, verified, viewed } from './audit-support.ts'
import { TEN, openLedger } from './support.ts'

let db: TestDatabase
let trail: Trail
let kept: SignedHead

/** A trail of two chains, and a head of the first that its customer kept. */
before(async () => {
  db = await openLedger({ fresh: true })
  trail = openTrail(db)
  await trail.append(Array.from({ length: 8 }, (_, n) => viewed({ requestId: `r${n}`, chain: n % 4 === 3 ? OTHER : ORG })))
  const head = await trail.signedHead(db, ORG)
  assert.ok(head !== undefined)
  kept = head
})
after(async () => {
  await trail[Symbol.asyncDispose]()
  await db[Symbol.asyncDispose]()
})

/** Looks at the trail as it would be if somebody who owns the database had done that; then it was not done. */
async function tampered<Result>(sql: string, look: (tx: Queryable) => Promise<Result>): Promise<Result> {
  const result = Promise.withResolvers<Result>()
  await db
    .transaction(async (tx) => {
      await tx.query(`set local session_replication_role = replica; ${sql}`)
      result.resolve(await look(tx))
      throw new Error('undone')
    })
    .catch((error: unknown) => result.reject(error))
  return result.promise
}

async function problemsAfter(sql: string, heads: readonly SignedHead[] = [kept]): Promise<readonly string[]> {
  return tampered(sql, async (tx) => kindsOf(await verified(tx, heads)))
}

const OF_ORG = `chain = '${ORG}'`

test('verifyAudit() finds nothing in what nobody touched', async () => {
  assert.deepEqual(kindsOf(await verified(db, [kept])), [])
})

test('verifyAudit() finds an edit of any column of any line', async () => {
  const edits = [
    'body = replace(body, \'"status":200\', \'"status":404\')',
    "body = body || ' '",
    "body = 'gone'",
    'body = \'{"v":1}\'',
    "hash = sha256('x')",
  ]
  for (const edit of edits) {
    for (const sequence of [1, 2, 5, 7]) {
      if (sequence === 1 && edit.includes('status')) continue
      const found = await problemsAfter(`update audit_line set ${edit} where ${OF_ORG} and sequence = ${sequence}`)
      assert.ok(found.includes('edited'), `${edit} of ${sequence}: ${found.join(', ')}`)
    }
  }
})

test('verifyAudit() finds an edit that comes with a hash of its own, and one that comes with all hashes after it', async () => {
  const edit = 'body = replace(body, \'"status":200\', \'"status":404\')'
  const rehash = `hash = sha256(convert_to(format(E'ascribe-audit-line-1\\n%s\\n%s\\n%s\\n%s', l.chain, l.sequence, (select encode(p.hash, 'hex') from
    audit_line p where p.chain = l.chain and p.sequence = l.sequence - 1), l.body), 'UTF8'))`
  const one = (sequence: number): string => `update audit_line l set ${rehash} where ${OF_ORG} and sequence = ${sequence}`
  const start = `update audit_line set ${edit} where ${OF_ORG} and sequence = 3; ${one(3)}`
  assert.deepEqual(await problemsAfter(start), ['edited'])
  const all = `${start}; ${[4, 5, 6, 7].map(one).join(';')};
    update audit_head h set hash = (select hash from audit_line l where l.chain = h.chain and l.sequence = h.sequence) where ${OF_ORG}`
  // Nothing in the file says so: the export was signed over it. The head that the customer kept does.
  assert.deepEqual(await problemsAfter(all, []), [])
  assert.deepEqual(await problemsAfter(all), ['rewritten'])
})

test('verifyAudit() finds a line that was deleted, at the beginning, within, and at the end', async () => {
  assert.deepEqual(await problemsAfter(`delete from audit_line where ${OF_ORG} and sequence = 1`), ['edited', 'gap'])
  assert.deepEqual(await problemsAfter(`delete from audit_line where ${OF_ORG} and sequence in (3, 4)`), ['edited', 'gap'])
  assert.deepEqual(await problemsAfter(`delete from audit_line where ${OF_ORG} and sequence = 7`, []), ['truncated'])
  assert.ok((await problemsAfter(`delete from audit_line where ${OF_ORG}`)).includes('truncated'))
})

test('verifyAudit() finds a truncation with a head of its own against a head that was kept, and says so that it could not without', async () => {
  const cut = `delete from audit_line where ${OF_ORG} and sequence > 4;
    update audit_head set sequence = 4, hash = (select hash from audit_line l where l.chain = '${ORG}' and l.sequence = 4) where ${OF_ORG}`
  assert.deepEqual(await problemsAfter(cut), ['truncated'])
  const report = await tampered(cut, (tx) => verified(tx))
  assert.deepEqual(report.problems, [])
  assert.ok(report.caveats.some((caveat) => /newest lines were cut off/.test(caveat)))
  assert.ok((await problemsAfter(`delete from audit_line where ${OF_ORG}; delete from audit_head where ${OF_ORG}`)).includes('truncated'))
})

test('verifyAudit() finds lines that changed places, came twice, or came from another chain', async () => {
  const swap = `update audit_line set sequence = sequence + 100 where ${OF_ORG} and sequence in (3, 4);
    update audit_line set sequence = 107 - sequence where ${OF_ORG} and sequence > 100`
  assert.ok((await problemsAfter(swap)).includes('edited'))
  const splice = `update audit_line l set body = o.body, hash = o.hash from audit_line o where l.chain = '${ORG}' and l.sequence = 2 and o.chain = '${OTHER}' and o.sequence = 2`
  assert.deepEqual(await problemsAfter(splice), ['edited', 'personal_edited'])
  const file = await exported(db)
  const check = async (lines: readonly (string | undefined)[]): Promise<readonly string[]> =>
    kindsOf(
      await verifyAudit(
        lines.filter((line) => line !== undefined),
        { heads: [kept], keys: publicKeys },
      ),
    )
  assert.deepEqual(await check(file), [])
  assert.deepEqual(await check([file[0], file[2], file[1], ...file.slice(3)]), ['gap', 'out_of_order'])
  assert.deepEqual(await check([file[0], file[1], file[1], ...file.slice(2)]), ['out_of_order'])
  const foreign = file.find((line) => line.includes(OTHER))
  assert.ok((await check([file[0], foreign?.replaceAll(OTHER, ORG), ...file.slice(1)])).includes('out_of_order'))
  assert.ok((await check([...file.slice(0, 3), 'nonsense', ...file.slice(3)])).includes('unreadable'))
})

test('verifyAudit() finds a file that was cut off anywhere', async () => {
  const file = await exported(db, [ORG])
  for (let length = 1; length < file.length; length += 1) {
    const report = await verifyAudit(file.slice(0, length), { keys: publicKeys })
    assert.ok(kindsOf(report).includes('truncated'), `after ${length} lines`)
  }
})

test('verifyAudit() never takes lines behind the signed head of a file for the installation’s, however well they follow', async () => {
  const file = await exported(db, [ORG])
  const last = JSON.parse(file.at(-2) ?? '') as ExportedLine
  const forged = (before: ExportedLine): ExportedLine => {
    const sequence = before.sequence + 1
    const hash = lineHash({ chain: ORG, sequence, previous: before.hash, body: canonicalJson(before.line as never) })
    return { ...before, sequence, previous: before.hash, hash }
  }
  const [one, two] = [forged(last), forged(forged(last))]
  for (const added of [[one], [one, two]]) {
    const report = await verifyAudit([...file, ...added.map((line) => JSON.stringify(line))], { keys: publicKeys, heads: [kept] })
    assert.deepEqual(kindsOf(report), ['unsigned'])
    assert.equal(report.problems[0]?.sequence, one.sequence)
  }
})

test('verifyAudit() never lets a line say what no hash covers: a member more, or one that stands there twice', async () => {
  const file = await exported(db, [ORG])
  const edits: readonly ((line: string) => string)[] = [
    (line) => line.replace('{"type"', '{"note":"it was eve","type"'),
    (line) => line.replace('"line":{', '"line":{"status":204},"line":{'),
    (line) => line.replace('"status":200', '"status":204,"status":200'),
    (line) => line.replace('"value":', '"value":"eve","value":'),
    (line) => line.replace('"value":', '"was":"eve","value":'),
    (line) => line.replace('"path":', '"pa\\u0074h":"/x","path":'),
  ]
  for (const edit of edits) {
    const changed = file.map((line, at) => (at === 2 ? edit(line) : line))
    assert.notDeepEqual(changed, file)
    assert.ok(kindsOf(await verifyAudit(changed, { keys: publicKeys })).includes('unreadable'), changed[2] ?? '')
  }
  const head = file.map((line) => line.replace('"type":"head"', '"type":"head","sequence":99'))
  assert.ok(kindsOf(await verifyAudit(head, { keys: publicKeys })).includes('unreadable'))
  // Blanks between them change nothing.
  const spaced = file.map((line) => JSON.stringify(JSON.parse(line), null, 1).replaceAll('\n', ' '))
  assert.deepEqual(kindsOf(await verifyAudit(spaced, { keys: publicKeys })), [])
})

test('verifyAudit() finds any change of any byte of an export', async () => {
  const text = (await exported(db, [ORG])).join('\n')
  await fc.assert(
    fc.asyncProperty(fc.nat(text.length - 1), fc.integer({ min: 0x20, max: 0x7e }), async (at, code) => {
      const changed = `${text.slice(0, at)}${String.fromCharCode(code)}${text.slice(at + 1)}`
      const report = await verifyAudit(changed.split('\n'), { heads: [kept], keys: publicKeys })
      // White space between tokens says nothing, nor does the upper case of an escape; both leave the parsed lines as they were.
      const same = JSON.stringify(changed.split('\n').map(parsed)) === JSON.stringify(text.split('\n').map(parsed))
      assert.equal(report.problemCount > 0, !same, `${at}: ${changed.slice(Math.max(0, at - 20), at + 20)}`)
    }),
    { numRuns: 400 },
  )
})

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return line
  }
}

test('verifyAudit() takes one text for one signature, although base64url has bits to spare', async () => {
  const text = (await exported(db, [ORG])).join('\n')
  const last = text.length - '"}'.length - 1
  const found = await Promise.all(
    'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
      .split('')
      .filter((character) => character !== text[last])
      .map(async (character) => {
        const report = await verifyAudit(`${text.slice(0, last)}${character}${text.slice(last + 1)}`.split('\n'), { keys: publicKeys })
        return report.problemCount > 0
      }),
  )
  assert.ok(found.length === 63 && found.every(Boolean))
})

test('verifyAudit() refuses a head that was forged, or signed with a key that nobody trusts', async () => {
  const file = await exported(db, [ORG])
  const check = async (heads: readonly SignedHead[]): Promise<readonly string[]> =>
    kindsOf(await verifyAudit(file, { heads, keys: publicKeys }))
  assert.deepEqual(await check([kept]), [])
  for (const forged of [
    { sequence: 6 },
    { hash: 'ab'.repeat(32) },
    { at: '2020-01-01T00:00:00Z' },
    { chain: OTHER },
    { signature: 'AAAA' },
  ]) {
    assert.ok((await check([{ ...kept, ...forged }])).includes('head_forged'), JSON.stringify(forged))
  }
  const stranger = parseAuditSigner(newKeyPem(), 'the test')
  assert.deepEqual(await check([stranger.signHead(kept, TEN)]), ['head_of_unknown_key'])
  // Under the id of the trusted key.
  assert.deepEqual(await check([{ ...stranger.signHead(kept, TEN), keyId: signer.keyId }]), ['head_forged'])
})

test('verifyAudit() without a key says that it trusts what the file names', async () => {
  const stranger = parseAuditSigner(newKeyPem(), 'the test')
  const file = (await exported(db, [ORG])).slice(0, -1)
  const report = await verifyAudit([...file, JSON.stringify({ type: 'head', ...stranger.signHead(kept, TEN) })])
  assert.deepEqual(
    kindsOf(report),
    ['head_of_unknown_key', 'truncated'].filter((kind) => kindsOf(report).includes(kind)),
  )
  assert.ok(report.problemCount > 0)
  const own = await verifyAudit(await exported(db, [ORG]))
  assert.deepEqual(own.problems, [])
  assert.ok(own.caveats.some((caveat) => /no trusted key was given/.test(caveat)))
})

test('verifyAudit() finds personal fields that were changed, exchanged, or taken out without a word', async () => {
  const of = (sequence: number): string => `${OF_ORG} and sequence = ${sequence}`
  assert.deepEqual(await problemsAfter(`update audit_personal set fields = replace(fields, 'Ada', 'Eve') where ${of(2)}`), [
    'personal_edited',
  ])
  assert.deepEqual(
    await problemsAfter(`update audit_personal a set fields = b.fields from audit_personal b where a.chain = '${ORG}' and a.sequence = 2
      and b.chain = '${ORG}' and b.sequence = 3`),
    ['personal_edited'],
  )
  assert.deepEqual(await problemsAfter(`update audit_personal set fields = '{}' where ${of(2)}`), ['personal_missing'])
  assert.deepEqual(await problemsAfter(`delete from audit_personal where ${of(2)}`), ['personal_missing'])
  assert.deepEqual(await problemsAfter(`update audit_personal set fields = 'x' where ${of(2)}`), ['personal_missing'])
})

test('eraseAudit() forgets a person in every chain, says so in the chain, and the chain still verifies', async () => {
  await using own = await openLedger()
  await using writer = openTrail(own)
  const bob = { ...ada, id: 'bob@example.com', name: 'Bob' }
  await writer.append([
    viewed(),
    viewed({ actor: bob }),
    viewed({ chain: OTHER }),
    viewed({ chain: OTHER, personal: { to: 'ada@example.com' } }),
  ])
  const head = await writer.signedHead(own, ORG)
  const by = { kind: 'system', id: 'ascribe', via: 'cli' } as const
  const erased = await eraseAudit(own, { actorId: 'ada@example.com' }, { trail: writer, by, at: TEN })
  assert.deepEqual(erased, { lines: 3, fields: 9 })
  const { rows } = await own.query<{ fields: string }>(
    "select fields from audit_personal where fields like '%Ada%' or fields like '%10.0.0.7%'",
  )
  assert.equal(rows.filter(({ fields }) => !fields.includes('Bob')).length, 0)
  const report = await verified(own, head === undefined ? [] : [head])
  assert.deepEqual(report.problems, [])
  assert.ok(report.caveats.some((caveat) => /9 erased fields/.test(caveat)))
  const page = await readAccessLog(own, { organizationId: ORG })
  assert.ok(page !== 'bad_cursor')
  const [erasure, bobs, adas] = page.entries
  assert.deepEqual([erasure?.kind, erasure?.detail], ['erasure', { erased: { 'actor.id': '2', 'actor.ip': '2', 'actor.name': '2' } }])
  assert.deepEqual([bobs?.actor.name, adas?.actor.name, adas?.act?.reason], ['Bob', undefined, 'asked about March'])
  assert.deepEqual(adas?.erased, ['actor.id', 'actor.ip', 'actor.name'])
  // Single fields of single lines too, and once is enough.
  const reasons = { chain: ORG, sequences: [2, 3], fields: ['act.reason', 'query'] }
  assert.deepEqual(await eraseAudit(own, reasons, { trail: writer, by, at: TEN }), { lines: 2, fields: 4 })
  assert.deepEqual(await eraseAudit(own, reasons, { trail: writer, by, at: TEN }), { lines: 0, fields: 0 })
  assert.deepEqual((await verified(own)).problems, [])
})

test('the tables of the trail refuse every change but erasure, to their owner too', async () => {
  const refused = [
    "update audit_line set body = 'x'",
    'delete from audit_line',
    'truncate audit_line cascade',
    'delete from audit_personal',
    'truncate audit_personal',
    "update audit_personal set fields = fields || ' '",
    "update audit_personal set fields = '{}', sequence = 99",
  ]
  for (const sql of refused) {
    await assert.rejects(db.query(sql), (error) => error instanceof DatabaseError && error.sqlstate === '23001', sql)
  }
})

test('findHeads() reads heads from exports, logs, replies of the access log, and files of one', async () => {
  const log = JSON.stringify({ level: 'info', msg: 'audit head', ...kept })
  for (const text of [
    JSON.stringify(kept),
    log,
    `x\n${log}\n{}`,
    JSON.stringify({ data: [], head: kept }, undefined, 2),
    JSON.stringify([kept]),
  ]) {
    assert.deepEqual(findHeads(text), [kept], text)
  }
  assert.deepEqual(
    findHeads((await exported(db, [ORG])).join('\n')).map(({ sequence }) => sequence),
    [7],
  )
  assert.deepEqual(findHeads('nothing'), [])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalJson } from '../money/canonical-json.ts'
import type { JsonValue } from '../money/canonical-json.ts'
import { commitmentOf, encodeEntry, lineHash } from './entry.ts'
import type { AuditEntry, PersonalFields } from './entry.ts'
import { formatRanges } from './erased-ranges.ts'
import type { LineBody } from './stored-line.ts'

const ORG = '11111111-1111-4111-8111-111111111111'
const text = fc.string({ unit: 'binary', maxLength: 60 })
const anyEntry: fc.Arbitrary<AuditEntry> = fc.record(
  {
    chain: fc.constantFrom(ORG, 'installation'),
    kind: fc.constantFrom('read', 'write', 'session'),
    at: fc.integer({ min: 0, max: 4e12 }),
    actor: fc.record(
      {
        kind: fc.constantFrom('operator', 'user', 'key', 'platform', 'system'),
        id: text,
        via: text,
        issuer: text,
        name: text,
        email: text,
        ip: text,
        roles: fc.array(text),
      },
      { requiredKeys: ['kind', 'id', 'via'] },
    ),
    act: fc.record(
      { sessionId: text, reason: text, ticket: text, expiresAt: fc.integer({ min: 0, max: 4e12 }) },
      { requiredKeys: ['sessionId'] },
    ),
    method: text,
    aboutOrganizationId: text,
    path: fc.oneof(text, fc.constant('/users/a@b')),
    query: text,
    status: fc.integer({ min: 100, max: 599 }),
    requestId: text,
    detail: fc.dictionary(text, fc.oneof(text, fc.integer(), fc.boolean(), fc.array(text))),
    personal: fc.dictionary(text, text),
  },
  { requiredKeys: ['chain', 'kind', 'at', 'actor'] },
)

test('encodeEntry() writes one line of text that reads back as the same bytes, whatever is in it', () => {
  fc.assert(
    fc.property(anyEntry, (entry) => {
      const { body, personal } = encodeEntry(entry)
      assert.ok(!/[\n\r\0]/.test(body + personal))
      assert.equal(canonicalJson(JSON.parse(body) as JsonValue), body)
      // UTF-8 and back, as the database stores it.
      assert.equal(Buffer.from(body).toString(), body)
    }),
  )
})

test('encodeEntry() commits to every personal field, and to nothing else', () => {
  fc.assert(
    fc.property(anyEntry, (entry) => {
      const { body, personal } = encodeEntry(entry)
      const { sealed = {} } = JSON.parse(body) as LineBody
      const fields = (personal === '' ? {} : JSON.parse(personal)) as PersonalFields
      assert.deepEqual(Object.keys(fields).toSorted(), Object.keys(sealed).toSorted())
      for (const [field, [salt, value]] of Object.entries(fields)) assert.equal(commitmentOf(field, salt, value), sealed[field])
      for (const name of ['query', 'actor.name', 'actor.email', 'actor.ip']) {
        const value = name === 'query' ? entry.query : entry.actor[name.slice(6) as 'name' | 'email' | 'ip']
        assert.equal(Object.hasOwn(sealed, name), value !== undefined && value !== '', name)
      }
    }),
  )
})

test('encodeEntry() gives two equal entries different commitments, so that lines cannot be compared by who is in them', () => {
  const entry: AuditEntry = { chain: ORG, kind: 'read', at: 0, actor: { kind: 'operator', id: 'ada', via: 'teleport' } }
  assert.notEqual(encodeEntry(entry).body, encodeEntry(entry).body)
})

test('encodeEntry() cuts what is too long, and refuses a chain that is none and an amount that is no whole number', () => {
  const entry: AuditEntry = { chain: ORG, kind: 'read', at: 0, actor: { kind: 'key', id: 'k', via: 'api_key' }, path: 'p'.repeat(100_000) }
  assert.ok(encodeEntry(entry).body.length < 3000)
  for (const chain of ['', 'INSTALLATION', `${ORG}\n`, ORG.toUpperCase().replace('1', 'A')])
    assert.throws(() => encodeEntry({ ...entry, chain }), /chain/)
  assert.throws(() => encodeEntry({ ...entry, detail: { amount: 0.5 } }), RangeError)
})

test('lineHash() is the hash of the guide, and depends on each of its parts', () => {
  const link = { chain: ORG, sequence: 2, previous: 'ab'.repeat(32), body: '{"v":1}' }
  // printf 'ascribe-audit-line-1\n11111111-1111-4111-8111-111111111111\n2\nabab…ab\n{"v":1}' | sha256sum
  assert.equal(lineHash(link), '9115619182feb22fd55d18c4a35b82d885915a2f5043c3cc169bbd2a84531ebd')
  for (const other of [{ chain: 'installation' }, { sequence: 3 }, { previous: '00'.repeat(32) }, { body: '{"v":2}' }]) {
    assert.notEqual(lineHash({ ...link, ...other }), lineHash(link))
  }
})

test('formatRanges() joins what follows each other', () => {
  assert.equal(formatRanges([3, 4, 5, 9, 11, 12]), '3-5,9,11-12')
  assert.equal(formatRanges([]), '')
})

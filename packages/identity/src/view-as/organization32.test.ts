import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseAppHost } from './app-host.ts'
import { organization32, parseOrganization32 } from './organization32.ts'

const KNOWN = {
  t2frxsh2bbehbiq7ekwadtbyba: '9e8b1bc8-fa08-4870-a21f-22ac01cc3808',
  txzur43pwfcklgvqfix6cr5gqm: '9df348f3-6fb1-44a5-9ab0-2a2fe147a683',
  ahltbr22mfgxvhz4mpwqd42ox4: '01d730c7-5a61-4d7a-9f3c-63ed01f34ebf',
} as const
const ORG = 't2frxsh2bbehbiq7ekwadtbyba'
const SUFFIXES = ['.materialize.teleport.sh']

test('organization32() writes and parseOrganization32() reads the three examples of the reference', () => {
  for (const [text, id] of Object.entries(KNOWN)) {
    assert.equal(organization32(id), text)
    assert.equal(parseOrganization32(text), id)
  }
})

test('parseOrganization32() reads what organization32() wrote, for every UUID', () => {
  fc.assert(fc.property(fc.uuid(), (id) => parseOrganization32(organization32(id)) === id))
})

test('R9: parseOrganization32() takes one of the four spellings that decode to an organization', () => {
  const all = 'abcdefghijklmnopqrstuvwxyz234567'.split('')
  fc.assert(
    fc.property(fc.uuid(), (id) => {
      const head = organization32(id).slice(0, -1)
      const taken = all.filter((last) => parseOrganization32(head + last) === id)
      assert.deepEqual(taken, [organization32(id).slice(-1)])
      // The others are nobody's either: of 32 last characters 8 are canonical.
      assert.equal(all.filter((last) => parseOrganization32(head + last) !== undefined).length, 8)
    }),
  )
  for (const last of ['b', 'c', 'd']) assert.equal(parseOrganization32(`t2frxsh2bbehbiq7ekwadtbyb${last}`), undefined)
})

test('parseOrganization32() refuses capitals, padding, other alphabets and other lengths', () => {
  for (const text of [
    ORG.toUpperCase(),
    `${ORG}======`,
    `${ORG}a`,
    ORG.slice(1),
    ORG.replace('2', '1'),
    ORG.replace('2', '0'),
    ` ${ORG}`,
    '',
  ])
    assert.equal(parseOrganization32(text), undefined, text)
})

test('organization32() refuses what is no UUID', () => {
  assert.throws(() => organization32('9e8b1bc8'), RangeError)
})

test('R8: parseAppHost() reads both forms of host', () => {
  const organizationId = KNOWN[ORG]
  const rest = { provider: 'aws', region: 'us-east-1', organizationId, ordinal: 0 }
  assert.deepEqual(parseAppHost(`aws-us-east-1-${ORG}-0.materialize.teleport.sh`, SUFFIXES), { form: 'legacy', ...rest })
  assert.deepEqual(parseAppHost(`mz-aws-us-east-1-${ORG}-0.materialize.teleport.sh`, SUFFIXES), { form: 'mz', ...rest })
})

test('R1 R8 R9: parseAppHost() refuses hosts that only look like one', () => {
  const good = `aws-us-east-1-${ORG}-0`
  const hosts = [
    `${good}.materialize.teleport.sh.evil.com`,
    `${good}.materializexteleportxsh.evil.com`,
    `${good}.materializexteleportxsh`,
    `${good}.evil.materialize.teleport.sh`,
    `${good}.materialize.teleport.sh.`,
    `${good}materialize.teleport.sh`,
    `.materialize.teleport.sh`,
    `AWS-us-east-1-${ORG}-0.materialize.teleport.sh`,
    `aws-us-east-1-${ORG}b-0.materialize.teleport.sh`,
    `aws-us-east-1-t2frxsh2bbehbiq7ekwadtbybb-0.materialize.teleport.sh`,
    `aws-us-east-1-${ORG}.materialize.teleport.sh`,
    `aws-us-east-1-${ORG}-00.materialize.teleport.sh`,
    `aws-us-east-1-${ORG}-0x.materialize.teleport.sh`,
    `aws-${ORG}-0.materialize.teleport.sh`,
    `mz-aws-${ORG}-0.materialize.teleport.sh`,
    `mz-mz-${ORG}-0.materialize.teleport.sh`,
    `mz--us-east-1-${ORG}-0.materialize.teleport.sh`,
    `1aws-us-east-1-${ORG}-0.materialize.teleport.sh`,
    `-aws-us-east-1-${ORG}-0.materialize.teleport.sh`,
    `aws-us-east-1-${ORG}-0-.materialize.teleport.sh`,
    `aws-us-east-1-far-away-in-the-middle-of-nowhere-${ORG}-0.materialize.teleport.sh`,
    `aws-us-east-1-${ORG}-0.materialize.teleport.sh:443`,
    `aws_us-east-1-${ORG}-0.materialize.teleport.sh`,
  ]
  for (const host of hosts) assert.equal(parseAppHost(host, SUFFIXES), undefined, host)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CloudSigmaRequestError } from './errors.ts'
import { assertUuid, devChannelOf, drivesBody, metaBody, nicsBody } from './specs.ts'

const DRIVE = '33333333-1111-4222-8333-444444444444'
const VLAN = '55555555-1111-4222-8333-444444444444'
const refused = (action: () => unknown, pattern: RegExp): void =>
  assert.throws(action, (error: unknown) => error instanceof CloudSigmaRequestError && pattern.test(error.message))

test('R-33: nicsBody() refuses an interface with a vlan and an address', () => {
  refused(() => nicsBody([{ vlan: VLAN, ipV4: { conf: 'dhcp' } }]), /not both/)
  assert.deepEqual(nicsBody([{ vlan: VLAN }, { ipV4: { conf: 'dhcp' } }, {}]), [{ vlan: VLAN }, { ip_v4_conf: { conf: 'dhcp' } }, {}])
})

test('3.6: nicsBody() wants an address for static and none for dhcp; manual may have one', () => {
  refused(() => nicsBody([{ ipV4: { conf: 'static' } }]), /static/)
  refused(() => nicsBody([{ ipV4: { conf: 'dhcp', ip: '185.12.6.183' } }]), /dhcp/)
  assert.deepEqual(nicsBody([{ ipV4: { conf: 'static', ip: '185.12.6.183' } }, { ipV4: { conf: 'manual' } }]), [
    { ip_v4_conf: { conf: 'static', ip: '185.12.6.183' } },
    { ip_v4_conf: { conf: 'manual' } },
  ])
})

test('R-34: drivesBody() derives channels from places, not from boot orders, and each is legal and taken once', () => {
  const channels = (drivesBody(Array.from({ length: 16 }, () => ({ drive: DRIVE, bootOrder: 1 }))) as { dev_channel: string }[]).map(
    ({ dev_channel }) => dev_channel,
  )
  assert.equal(new Set(channels).size, 16)
  assert.deepEqual(channels.slice(4, 8), ['0:4', '0:5', '1:0', '1:1'])
  refused(() => drivesBody([{ drive: DRIVE }, { drive: DRIVE, devChannel: '0:0' }]), /two drives/)
  refused(() => drivesBody([{ drive: DRIVE, devChannel: '0:6' }]), /no channel of virtio/)
  refused(() => drivesBody([{ drive: DRIVE, device: 'ide', devChannel: '2:0' }]), /no channel of ide/)
})

test('3.6: devChannelOf() has four places for ide', () => {
  assert.deepEqual(
    [0, 1, 2, 3].map((index) => devChannelOf(index, 'ide')),
    ['0:0', '0:1', '1:0', '1:1'],
  )
  refused(() => devChannelOf(4, 'ide'), /ide/)
})

test('H-10: metaBody() refuses keys of more than 32 characters, and names no value', () => {
  assert.deepEqual(metaBody({ ['k'.repeat(32)]: 'v' }), { ['k'.repeat(32)]: 'v' })
  refused(() => metaBody({ ['k'.repeat(33)]: 'CANARY' }), /^((?!CANARY).)*33 characters((?!CANARY).)*$/)
  // A caller without types may send what is no text.
  refused(() => metaBody(JSON.parse('{"a": 1}') as Record<string, string>), /no text/)
})

test('assertUuid() refuses what could leave its path', () => {
  for (const id of ['..', '', 'a/b', `${DRIVE}/`, DRIVE.toUpperCase().replace('3', 'A'), `${DRIVE}?x`])
    refused(() => assertUuid(id, 'drive'), /no UUID/)
})

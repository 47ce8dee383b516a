import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CloudSigmaCluster, MachineSpec } from '@ascribe/kinds'
import fc from 'fast-check'
import { coresOf, desiredOf } from './desired.ts'

const UUID = '0f6a2f8a-9d41-4c0e-a403-b2c1d0e59b10'
const VLAN = '1f6a2f8a-9d41-4c0e-a404-b2c1d0e59b10'
const SPEC: MachineSpec = { cpu: 2000, memory: 2048, disks: [{ uuid: UUID, device: 'virtio', boot_order: 1, size: 1024 }] }
const CLUSTER = { spec: { region: 'zrh', vlan: { uuid: VLAN } } } as CloudSigmaCluster
const OFFER = {
  cpuMhz: { min: 250, max: 96_000 },
  smp: { min: 1, max: 32 },
  cpuPerSmp: { min: 1000, max: 3000 },
  memBytes: {},
  driveBytes: {},
}

const nicsOf = (nics: MachineSpec['nics']): unknown => {
  const desired = desiredOf({ ...SPEC, ...(nics !== undefined && { nics }) }, CLUSTER)
  return typeof desired === 'string' ? desired : desired.nics
}

test('desiredOf() puts an interface that says nothing into the cluster’s VLAN, and never makes a public one unasked (H-16)', () => {
  assert.deepEqual(nicsOf(undefined), [{ is: 'private', vlan: VLAN }])
  assert.deepEqual(nicsOf([{}]), [{ is: 'private', vlan: VLAN }])
  assert.deepEqual(nicsOf([{ public: true }]), [{ is: 'public', conf: 'dhcp' }])
  assert.match(JSON.stringify(desiredOf(SPEC, undefined)), /must be asked for/)
})

test('desiredOf() reads interfaces as the earlier provider’s manifests mean them, one thing at a time (R-33)', () => {
  assert.deepEqual(nicsOf([{ vlan: UUID, ipv4_conf: { conf: 'dhcp' } }]), [{ is: 'private', vlan: UUID }])
  assert.deepEqual(nicsOf([{ vlan: '', ipv4_conf: { conf: 'dhcp' } }]), [{ is: 'public', conf: 'dhcp' }])
  assert.deepEqual(nicsOf([{ public: true, ipv4_conf: { conf: 'static', ip: { uuid: '185.12.6.1' } } }]), [
    { is: 'public', conf: 'static', ip: '185.12.6.1' },
  ])
  assert.match(String(nicsOf([{ public: true, ipv4_conf: { conf: 'static' } }])), /needs ip.uuid/)
  assert.match(String(nicsOf([{ vlan: UUID, public: true }])), /one of them/)
})

test('desiredOf() refuses reserved and long keys of meta (H-10)', () => {
  for (const key of ['cloudinit-user-data', 'base64_fields', 'machine-uid', 'ascribe-anything', 'k'.repeat(33)])
    assert.equal(typeof desiredOf({ ...SPEC, meta: { [key]: 'x' } }, CLUSTER), 'string', key)
  assert.equal(typeof desiredOf({ ...SPEC, meta: { ['k'.repeat(32)]: 'x' } }, CLUSTER), 'object')
})

test('coresOf() gives a number whose cores the location has, or says why there is none (R-39)', () => {
  fc.assert(
    fc.property(fc.integer({ min: 250, max: 100_000 }), fc.constantFrom(undefined, 'max' as const, 1, 2, 5, 32, 64), (cpuMhz, cores) => {
      const given = coresOf({ cpuMhz, cores }, OFFER)
      if (typeof given === 'string') return
      const each = cpuMhz / given
      assert.ok(each <= 3000 && (given === 1 || each >= 1000) && given <= 32, `${given} cores of ${each}`)
      if (typeof cores === 'number') assert.equal(given, cores)
    }),
  )
  assert.equal(coresOf({ cpuMhz: 10_000, cores: undefined }, OFFER), 4)
  assert.equal(coresOf({ cpuMhz: 10_000, cores: 'max' }, OFFER), 10)
  assert.match(String(coresOf({ cpuMhz: 10_000, cores: 3 }, OFFER)), /4 to 10 cores/)
})

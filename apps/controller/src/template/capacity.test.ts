import assert from 'node:assert/strict'
import { test } from 'node:test'
import { capacityOf } from './capacity.ts'

const UUID = 'b2c1d0e5-7a3f-4c0e-9d41-0f6a2f8a9b10'

test('C-42: capacityOf() says what a machine of the template offers', () => {
  const disk = { uuid: UUID, device: 'virtio', boot_order: 1, size: 10 * 1024 ** 3 } as const
  const spec = { template: { spec: { cpu: 8000, cpuCores: 4, memory: 8192, disks: [{ ...disk, boot_order: 2, size: 1 }, disk] } } }
  assert.deepEqual(capacityOf({ spec }), {
    capacity: { cpu: '4', memory: '8192Mi', 'ephemeral-storage': String(10 * 1024 ** 3) },
    nodeInfo: { architecture: 'amd64', operatingSystem: 'linux' },
  })
})

test('capacityOf() promises no more cores than the cloud gives where it chooses their number', () => {
  const cores = (cpu: number, cpuCores?: number): string | number | undefined =>
    capacityOf({ spec: { template: { spec: { cpu, memory: 512, ...(cpuCores !== undefined && { cpuCores }) } } } }).capacity?.['cpu']
  assert.equal(cores(10_000), '4')
  assert.equal(cores(1000), '1')
  assert.equal(cores(10_000, 0), '4')
  assert.equal(cores(10_000, 5), '5')
})

test('capacityOf() takes the architecture from the label of the machines', () => {
  const spec = { template: { metadata: { labels: { 'kubernetes.io/arch': 'arm64' } }, spec: { cpu: 1000, memory: 512 } } }
  assert.equal(capacityOf({ spec }).nodeInfo?.architecture, 'arm64')
})

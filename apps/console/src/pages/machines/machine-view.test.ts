import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MachineJson } from '@ascribe/contract/reads'
import { hoursText, quantityText, selectMachines, sizeText } from './machine-view.ts'

const MACHINE: MachineJson = {
  id: 'srv-1',
  name: 'web-1',
  namespace: 'team-a',
  region: 'zrh',
  account: 'owner',
  owner: 'ada',
  state: 'running',
  stateAt: '2026-11-01T00:00:00Z',
  since: '2026-11-01T00:00:00Z',
  cpuMhz: 4000,
  memoryMib: 8192,
  diskGib: '20.000000',
  addresses: 1,
  hours: '514',
  meters: {},
  settledBy: 'provider',
  amount: '0',
  memo: '41.12',
  held: 0,
}

test('hoursText() shows one place, rounded once, of hours of any number, and never a little as none', () => {
  assert.deepEqual(['514', '12.5', '0', '0.000000', '0.000001', '0.04', '0.05', '123456.949999'].map(hoursText), [
    '514.0\u00a0h',
    '12.5\u00a0h',
    '0.0\u00a0h',
    '0.0\u00a0h',
    '<\u00a00.1\u00a0h',
    '<\u00a00.1\u00a0h',
    '0.1\u00a0h',
    '123,456.9\u00a0h',
  ])
})

test('quantityText() keeps every digit but zeros at the end', () => {
  assert.deepEqual(['2056000', '1234.500000', '0.000001', '999'].map(quantityText), ['2,056,000', '1,234.5', '0.000001', '999'])
})

test('sizeText() and selectMachines() say how large it is and find it', () => {
  assert.equal(sizeText(MACHINE), '4000 MHz · 8 GiB memory · 20 GiB disk · 1 address')
  const all = [MACHINE, { ...MACHINE, id: 'srv-2', name: 'gpu-2', owner: 'bob' }]
  const ids = (filter: Parameters<typeof selectMachines>[1]): readonly string[] => selectMachines(all, filter).map(({ id }) => id)
  assert.deepEqual(ids({ search: 'GPU', owner: undefined }), ['srv-2'])
  assert.deepEqual(ids({ search: '', owner: 'ada' }), ['srv-1'])
  assert.deepEqual(ids({ search: 'team-a', owner: undefined }), ['srv-1', 'srv-2'])
})

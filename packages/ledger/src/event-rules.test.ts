import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readCloudEvent } from './cloud-event.ts'
import { readUsage } from './event-rules.ts'
import type { EventReading, EventRule, MeterRule } from './event-rules.ts'
import { parseExactJson } from './exact-json.ts'

const NOW = Date.UTC(2026, 10, 22, 6)

/** What `data`, as it is written, comes to for one meter. */
function readingOf(data: string, meter: MeterRule, fields: Partial<EventRule> = {}): EventReading {
  const text = `{"specversion":"1.0","id":"1","source":"s","type":"t","data":${data}}`
  const checked = readCloudEvent(parseExactJson(text)?.value)
  assert(checked.kind === 'event')
  return readUsage(checked.event, { type: 't', resourceId: 'r', subject: 'auth_id', meters: { m: meter }, ...fields }, NOW)
}

const quantityOf = (data: string, meter: MeterRule): unknown => {
  const reading = readingOf(data, meter)
  return reading.kind === 'usage' ? reading.usage.meters['m'] : reading.reason
}

test('readUsage() takes a quantity exactly, as a number and as text, or refuses it', () => {
  const digits = fc.bigInt({ min: 0n, max: 2n ** 53n - 1n })
  fc.assert(
    fc.property(digits, fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 3 }), (units, scale, zeros) => {
      const text = units.toString().padStart(scale + 1, '0')
      const written = `${text.slice(0, text.length - scale)}${scale === 0 ? '' : '.'}${text.slice(text.length - scale)}${scale === 0 ? '' : '0'.repeat(zeros)}`
      assert.equal(quantityOf(`{"n":${written}}`, { path: '$.n', scale }), Number(units))
      assert.equal(quantityOf(`{"n":"${written}"}`, { path: '$.n', scale }), Number(units))
    }),
  )
})

test('readUsage() says what is wrong with a quantity', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['{"n":0.1}', /has more than 0 decimal places; it is never rounded/],
    ['{"n":-1}', /is negative/],
    ['{"n":"-0.5"}', /more than 0 decimal places/],
    ['{"n":1e3}', /is not a decimal number/],
    ['{"n":"many"}', /is not a decimal number/],
    ['{"n":9007199254740992}', /is beyond 2\^53 - 1 units/],
    ['{"n":true}', /is neither a number nor a number in text/],
    ['{"n":{"m":1}}', /is neither a number nor a number in text/],
    ['{"n":null}', /data has no \$\.n, which is meter m/],
    ['{}', /data has no \$\.n, which is meter m/],
    ['{"__proto__":{"n":1}}', /data has no \$\.n/],
    ['"n"', /data has no \$\.n/],
  ]
  for (const [data, reason] of cases) assert.match(String(quantityOf(data, { path: '$.n' })), reason, data)
  assert.equal(quantityOf('{"a":{"b-c":7}}', { path: '$.a.b-c' }), 7)
  assert.equal(quantityOf('null', { count: 3 }), 3)
  assert.match(String(quantityOf('{}', { path: '$.n', optional: true })), /none of the meters m/)
})

test('readUsage() takes texts for themselves and paths from the data', () => {
  const reading = readingOf(
    '{"vm":{"id":42,"flavor":"large"},"n":1}',
    { path: '$.n' },
    {
      resourceId: '$.vm.id',
      model: '$.vm.flavor',
      baseModel: 'vm',
      resourceType: 'vm',
    },
  )
  assert.deepEqual(reading, {
    kind: 'usage',
    usage: { time: NOW, resourceId: '42', resourceType: 'vm', model: 'large', baseModel: 'vm', meters: { m: 1 } },
  })
  const missing = readingOf('{"n":1}', { path: '$.n' }, { model: '$.model' })
  assert.deepEqual(missing, { kind: 'fault', reason: 'data has no text at $.model, which is the model' })
})

test('readCloudEvent() refuses what the specification refuses', () => {
  const good = { specversion: '1.0', id: '1', source: 's', type: 't' }
  const faultOf = (fields: Readonly<Record<string, unknown>>): string => {
    const checked = readCloudEvent({ ...good, ...fields })
    return checked.kind === 'fault' ? checked.reason : 'none'
  }
  const cases: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
    [{ specversion: '0.3' }, /specversion must be "1\.0"/],
    [{ id: null }, /id is missing/],
    [{ id: '' }, /id must be text that is not empty/],
    [{ source: 7 }, /source must be text/],
    [{ type: 'a\nb' }, /type holds a character/],
    [{ subject: '\u{0}' }, /subject holds a character/],
    [{ id: '\u{d800}' }, /id holds a character/],
    [{ id: 'x'.repeat(2049) }, /id is longer than 2048 characters/],
    [{ time: 'yesterday' }, /time is not an instant of RFC 3339/],
    [{ 'Bad-Name': 'x' }, /"Bad-Name" has a name that no attribute can have/],
    [{ extension: {} }, /extension is neither text, integer nor boolean/],
    [{ data: 1, data_base64: 'MQ==', datacontenttype: 'application/json' }, /exclude each other/],
    [{ data_base64: 'MQ==' }, /only where datacontenttype is JSON/],
    [{ data_base64: 'e30gZQ==', datacontenttype: 'application/json' }, /does not hold JSON/],
  ]
  for (const [fields, reason] of cases) assert.match(faultOf(fields), reason, JSON.stringify(fields).slice(0, 80))
  for (const fields of [{ subject: null, time: null }, { extension: true }, { datacontenttype: 'text/plain' }])
    assert.equal(faultOf(fields), 'none')
})

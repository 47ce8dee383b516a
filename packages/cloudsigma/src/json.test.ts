import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { moneyOf, numberOf, parseJson, referenceOf } from './json.ts'

test('3.1: moneyOf() reads money exactly, however it is written', () => {
  const cases: Record<string, string> = {
    '0E-16': '0',
    '-0.00': '0',
    '10.50': '10.50',
    '1.5E+3': '1500',
    '5E-3': '0.005',
    '-12.345E-1': '-1.2345',
    '007': '7',
    '123456789012345678901234567890.12': '123456789012345678901234567890.12',
  }
  for (const [text, expected] of Object.entries(cases)) assert.equal(moneyOf({ balance: text }, 'balance'), expected, text)
  for (const text of ['', 'ten', '1,5', 'NaN', '1e999', '0x10']) assert.equal(moneyOf({ balance: text }, 'balance'), undefined, text)
})

test('3.1: moneyOf() means the same number as was written', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.integer({ min: -20, max: 20 }), (digits, exponent) => {
      const read = moneyOf({ price: `${digits}E${exponent}` }, 'price')
      assert.ok(read !== undefined)
      const [whole = '', fraction = ''] = read.split('.')
      // Both sides as integers of 10^-20.
      const scaled = BigInt(`${whole}${fraction.padEnd(20, '0')}`)
      assert.equal(scaled, digits * 10n ** BigInt(20 + exponent))
    }),
  )
})

test('3.1: parseJson() keeps money as it was written, also when it comes as a number', () => {
  const bytes = Buffer.from('{"balance": 1234567890123456.789, "size": 1073741824.0, "x": {"price": 0.10}}')
  assert.deepEqual(parseJson(bytes, { hasMoney: true })?.value, {
    balance: '1234567890123456.789',
    size: 1073741824,
    x: { price: '0.10' },
  })
})

test('parseJson() gives nothing for what is no whole JSON text', () => {
  for (const text of ['', '{"a":', '<html>', '\u{FEFF}{}x']) assert.equal(parseJson(Buffer.from(text), { hasMoney: false }), undefined)
  assert.equal(parseJson(Buffer.from([0x22, 0xff, 0x22]), { hasMoney: false }), undefined)
})

test('3.1: numberOf() takes floats, texts of numbers, and null for nothing', () => {
  assert.equal(numberOf({ mem: 1073741824.0 }, 'mem'), 1073741824)
  assert.equal(numberOf({ mem: '1073741824' }, 'mem'), 1073741824)
  for (const mem of [null, 'many', {}, Number.NaN]) assert.equal(numberOf({ mem }, 'mem'), undefined)
  assert.equal(numberOf(null, 'mem'), undefined)
})

test('3.5: referenceOf() takes a text or an object', () => {
  assert.equal(referenceOf('a'), 'a')
  assert.equal(referenceOf({ uuid: 'a', resource_uri: '/' }), 'a')
  assert.equal(referenceOf(null), undefined)
})

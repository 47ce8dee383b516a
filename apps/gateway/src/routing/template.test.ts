import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { InputError } from '@ascribe/kit'
import { parseTemplate } from './template.ts'

const HOST = parseTemplate('http://{resource}.models.svc:8000/v1')
const PATH = parseTemplate('http://router.internal/{model}/v1')

test('parseTemplate() puts ids where the convention says', () => {
  assert.deepEqual(HOST.addressOf({ resource: 'dep-7', model: undefined }), { origin: 'http://dep-7.models.svc:8000', basePath: '/v1' })
  assert.deepEqual(PATH.addressOf({ resource: undefined, model: 'meta/llama 3' }), {
    origin: 'http://router.internal',
    basePath: '/meta%2Fllama%203/v1',
  })
  const both = parseTemplate('https://vllm-{model}.{resource}.svc/openai')
  assert.deepEqual(both.addressOf({ resource: 'team', model: 'm' }), { origin: 'https://vllm-m.team.svc', basePath: '/openai/v1' })
  assert.deepEqual(parseTemplate('http://vllm-{model}').addressOf({ resource: undefined, model: 'm' }), {
    origin: 'http://vllm-m',
    basePath: '/v1',
  })
})

test('parseTemplate() has no address for an id that is missing', () => {
  assert.equal(HOST.addressOf({ resource: undefined, model: 'm' }), undefined)
  assert.equal(PATH.addressOf({ resource: 'r', model: undefined }), undefined)
})

/** What somebody might name to come to another host, port or path, or to bring a credential along. */
const HOSTILE = [
  '',
  '.',
  '..',
  '../admin',
  'a/../../admin',
  'a/..',
  '..\\admin',
  'a\\..\\b',
  'a/./b',
  'a//b',
  '/a',
  'evil.example',
  'evil.example/',
  'evil.example:80',
  'evil.example#',
  'evil.example?',
  'evil.example%2f',
  'user@evil.example',
  'user:pass@evil.example',
  'a:8001',
  'a#',
  'a?b=c',
  'a%2e%2e',
  '%2e%2e',
  '%2e',
  'a\r\nHost: evil',
  'a\u0000',
  'a\tb',
  ' a',
  'A',
  'a_b',
  '-a',
  'a-',
  'ａ',
  'ⓐ',
  'a。b',
  'a\u00ADb',
  'xn--/',
  '[::1]',
  '127.0.0.1',
  '\uD800',
  'a'.repeat(64),
  'a'.repeat(600),
]

function assertHeld(address: { readonly origin: string; readonly basePath: string } | undefined, kind: 'host' | 'path', id: string): void {
  if (address === undefined) return
  const url = new URL(`${address.origin}${address.basePath}/chat/completions`)
  assert.deepEqual([url.username, url.password, url.search, url.hash], ['', '', '', ''], JSON.stringify(id))
  if (kind === 'host') {
    assert.match(url.hostname, /^[a-z0-9-]+\.models\.svc$/, JSON.stringify(id))
    assert.deepEqual([url.protocol, url.port, url.pathname], ['http:', '8000', '/v1/chat/completions'], JSON.stringify(id))
  } else {
    assert.deepEqual([url.protocol, url.host], ['http:', 'router.internal'], JSON.stringify(id))
    assert.match(url.pathname, /^\/[^/]+\/v1\/chat\/completions$/, JSON.stringify(id))
    // Neither for a server that unescapes first, once or twice.
    for (const text of [url.pathname, unescaped(url.pathname), unescaped(unescaped(url.pathname))])
      assert.ok(!text.split(/[/\\]/).some((step) => step === '..' || step === '.'), JSON.stringify(id))
  }
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

for (const id of HOSTILE) {
  test(`an id never changes host, port, path or user of a convention: ${JSON.stringify(id.slice(0, 70))}`, () => {
    assert.equal(HOST.addressOf({ resource: id, model: undefined }), undefined)
    assertHeld(PATH.addressOf({ resource: undefined, model: id }), 'path', id)
  })
}

test('an id that is a number never becomes an address of this machine', () => {
  const single = parseTemplate('http://{resource}0.svc')
  assert.deepEqual(single.addressOf({ resource: '2130706433', model: undefined })?.origin, 'http://21307064330.svc')
  assert.equal(parseTemplate('http://1{resource}').addressOf({ resource: '27', model: undefined }), undefined)
  assert.equal(parseTemplate('http://1{resource}').addressOf({ resource: '2x', model: undefined })?.origin, 'http://12x')
})

test('an id never changes host, port, path or user of a convention, whatever it is', () => {
  const wild = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('.', '/', '\\', '%', '2', 'e', 'f', ':', '@', '#', '?', '[', ']', 'a', '\n', ' ') }),
  )
  fc.assert(
    fc.property(wild, (id) => {
      assertHeld(HOST.addressOf({ resource: id, model: undefined }), 'host', id)
      assertHeld(PATH.addressOf({ resource: undefined, model: id }), 'path', id)
    }),
    { numRuns: 2000 },
  )
})

test('two ids are never one place', () => {
  const label = fc.string({ unit: fc.constantFrom('a', 'b', '-', '.', 'A', '0') })
  fc.assert(
    fc.property(label, label, (a, b) => {
      if (a === b) return
      const [first, second] = [a, b].map((resource) => HOST.addressOf({ resource, model: undefined }))
      assert.ok(first === undefined || first.origin !== second?.origin)
      const [left, right] = [a, b].map((model) => PATH.addressOf({ resource: undefined, model }))
      assert.ok(left === undefined || left.basePath !== right?.basePath)
    }),
  )
})

for (const text of [
  'http://{resource}',
  'http://{resource}:8000',
  'http://{resource}.{model}',
  'http://engine.{resource}',
  'http://engine.x{resource}',
  'http://{user}@engine.svc',
  'http://{resource}@engine.svc',
  'http://a:{resource}@engine.svc',
  'http://engine.svc:{resource}',
  'http://engine.svc/{other}',
  'http://engine.svc/{model',
  'http://engine.svc/model}',
  'http://engine.svc/?m={model}',
  'http://engine.svc/#{model}',
  'http://{model}{resource}.svc',
  'http://engine.svc/{model}-{resource}',
  '{resource}://engine.svc',
  'ftp://{resource}.svc',
  'http://[::{resource}]/',
  'http://{resource}.svc:99999',
  'http://{resource}_x.svc',
  'http://0x{resource}',
]) {
  test(`parseTemplate() refuses ${text}`, () => {
    assert.throws(() => parseTemplate(text), InputError)
  })
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { InputError } from '@ascribe/kit'
import { decideOrigin, decideOwnOrigin } from './decide-origin.ts'
import type { OriginDecision, RouteKind } from './decide-origin.ts'
import { organization32 } from './organization32.ts'
import { matchOrigin, parseOriginPattern } from './origin-pattern.ts'

const ORG = 't2frxsh2bbehbiq7ekwadtbyba'
const ORG_ID = '9e8b1bc8-fa08-4870-a21f-22ac01cc3808'
const patterns = [
  'https://console.example.com',
  'https://aws-us-east-1-{org32}-0.materialize.teleport.sh',
  'http://{org32}.env.localhost:4000',
].map(parseOriginPattern)
const APP = `https://aws-us-east-1-${ORG}-0.materialize.teleport.sh`

const decide = (route: RouteKind, headers: Readonly<Record<string, string>>): OriginDecision =>
  decideOrigin({ route, rawHeaders: Object.entries(headers).flat(), patterns })
const isAllowed = (route: RouteKind, headers: Readonly<Record<string, string>>): boolean => decide(route, headers).kind === 'allowed'

test('matchOrigin() finds plain origins and such as encode an organization', () => {
  assert.deepEqual(matchOrigin(patterns, 'https://console.example.com'), { origin: 'https://console.example.com' })
  assert.deepEqual(matchOrigin(patterns, APP), { origin: APP, organizationId: ORG_ID })
  assert.deepEqual(matchOrigin(patterns, `http://${ORG}.env.localhost:4000`)?.organizationId, ORG_ID)
})

test('R1 R8 R9: matchOrigin() refuses every origin that is not one of the list, character by character', () => {
  const origins = [
    'null',
    '',
    'https://console.example.com/',
    'https://console.example.com.',
    'https://console.example.com:443',
    'https://console.example.com:8443',
    'http://console.example.com',
    'HTTPS://console.example.com',
    'https://Console.example.com',
    'https://evilconsole.example.com',
    'https://console.example.com.evil.com',
    'https://console.example.com@evil.com',
    'https://consoleXexample.com',
    'https://evil.com/https://console.example.com',
    'https://console.example.com https://evil.com',
    'https://console.example.com,https://evil.com',
    `${APP}.evil.com`,
    APP.replace('materialize.teleport.sh', 'materializexteleportxsh.evil.com'),
    APP.replace(ORG, ORG.toUpperCase()),
    ...['b', 'c', 'd'].map((last) => APP.replace(ORG, `${ORG.slice(0, -1)}${last}`)),
    APP.replace(ORG, `${ORG}a`),
    APP.replace(ORG, ORG.slice(1)),
    APP.replace(ORG, `evil.com/${ORG.slice(9)}`),
    APP.replace('https', 'http'),
    `http://${ORG}.env.localhost:40000`,
    `http://${ORG}.env.localhost`,
  ]
  for (const origin of origins) assert.equal(matchOrigin(patterns, origin), undefined, origin)
})

test('matchOrigin() takes exactly one origin for each organization', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.nat(), fc.string({ minLength: 1, maxLength: 1 }), (id, at, character) => {
      const origin = APP.replace(ORG, organization32(id))
      assert.equal(matchOrigin(patterns, origin)?.organizationId, id)
      const index = at % origin.length
      const changed = `${origin.slice(0, index)}${character}${origin.slice(index + 1)}`
      // One other character: nobody, or another organization whose own canonical name this is.
      const found = changed === origin ? undefined : matchOrigin(patterns, changed)
      if (found !== undefined) assert.ok(found.organizationId !== undefined && found.organizationId !== id)
    }),
  )
})

test('parseOriginPattern() refuses what is no origin, wildcards, and plain http outside the machine', () => {
  for (const text of [
    'console.example.com',
    'https://console.example.com/',
    'https://console.example.com/path',
    'https://Console.example.com',
    'https://console.example.com:443',
    'https://user@console.example.com',
    'https://*.example.com',
    'https://{org32}.{org32}.example.com',
    'https://example.com/{org32}',
    'https://{region}.example.com',
    '{org32}',
    '*',
    'null',
    'http://console.example.com',
    'http://127.0.0.1.example.com',
    'ftp://console.example.com',
    'javascript:alert(1)',
    '',
  ])
    assert.throws(() => parseOriginPattern(text), InputError, text)
  for (const text of ['http://127.0.0.1:3000', 'http://localhost:3000', 'http://[::1]:3000', 'http://console.localhost'])
    parseOriginPattern(text)
})

test('R17: decideOrigin() gives data to allow-listed origins and to requests of no page of another site', () => {
  assert.deepEqual(decide('data', { Origin: APP, 'Sec-Fetch-Site': 'cross-site' }), {
    kind: 'allowed',
    origin: { origin: APP, organizationId: ORG_ID },
  })
  for (const headers of [{}, { 'Sec-Fetch-Site': 'none' }, { 'Sec-Fetch-Site': 'same-origin' }])
    assert.deepEqual(decide('data', headers), { kind: 'allowed' }, JSON.stringify(headers))
})

test('R17: decideOrigin() gives the files of a page to that page, which names itself, and to no other', () => {
  const origin = 'https://api.example.com'
  assert.equal(isAllowed('file', { Origin: origin, 'Sec-Fetch-Site': 'same-origin' }), true)
  assert.equal(isAllowed('data', { Origin: origin, 'Sec-Fetch-Site': 'same-origin' }), false)
  for (const site of ['same-site', 'cross-site', 'none']) assert.equal(isAllowed('file', { Origin: origin, 'Sec-Fetch-Site': site }), false)
  assert.equal(isAllowed('file', { Origin: origin }), false)
})

test('R17: decideOrigin() refuses data to any other page', () => {
  for (const headers of [
    { Origin: 'https://evil.com' },
    { Origin: 'null' },
    { Origin: '' },
    { Origin: 'https://evil.com', 'Sec-Fetch-Site': 'same-origin' },
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site' },
    { 'Sec-Fetch-Site': 'Same-Origin' },
    { 'Sec-Fetch-Site': '' },
    { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' },
    { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'image' },
  ])
    assert.equal(isAllowed('data', headers), false, JSON.stringify(headers))
})

test('R17: decideOrigin() lets a browser open /redirect and documents from any site, but scripts of a page not', () => {
  assert.ok(isAllowed('navigation', { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' }))
  assert.ok(isAllowed('navigation', {}))
  assert.ok(isAllowed('navigation', { Origin: APP }))
  for (const headers of [
    { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' },
    { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'cors', Origin: 'https://evil.com' },
    { 'Sec-Fetch-Mode': 'navigate', Origin: 'https://evil.com' },
    { 'Sec-Fetch-Mode': 'navigate', Origin: 'null' },
  ])
    assert.equal(isAllowed('navigation', headers), false, JSON.stringify(headers))
})

test('R17: decideOrigin() takes writes from allow-listed origins and from its own pages only', () => {
  assert.ok(isAllowed('write', { Origin: 'https://console.example.com', 'Sec-Fetch-Site': 'cross-site' }))
  assert.ok(isAllowed('write', { Origin: 'https://api.app.example.com', 'Sec-Fetch-Site': 'same-origin' }))
  for (const headers of [
    {},
    { 'Sec-Fetch-Site': 'none' },
    { 'Sec-Fetch-Site': 'same-site' },
    { Origin: 'https://evil.com', 'Sec-Fetch-Site': 'cross-site' },
    { Origin: 'https://evil.com' },
    { Origin: 'null' },
    { 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Site': 'cross-site' },
  ])
    assert.equal(isAllowed('write', headers), false, JSON.stringify(headers))
})

test('R17: decideOrigin() answers preflights of allow-listed origins only', () => {
  assert.ok(isAllowed('preflight', { Origin: APP, 'Sec-Fetch-Site': 'cross-site' }))
  assert.equal(isAllowed('preflight', { Origin: 'https://evil.com' }), false)
  assert.equal(isAllowed('preflight', { 'Sec-Fetch-Site': 'same-origin' }), false)
})

test('R17: decideOrigin() refuses headers that come twice, whichever of them is good', () => {
  for (const rawHeaders of [
    ['Origin', APP, 'origin', APP],
    ['Origin', 'https://evil.com', 'Origin', APP],
    ['Sec-Fetch-Site', 'same-origin', 'Sec-Fetch-Site', 'cross-site'],
    ['Origin', APP, 'Sec-Fetch-Mode', 'navigate', 'SEC-FETCH-MODE', 'cors'],
  ])
    for (const route of ['data', 'navigation', 'write', 'preflight'] as const)
      assert.deepEqual(decideOrigin({ route, rawHeaders, patterns }).kind, 'refused', rawHeaders.join(' '))
})

test('R17: decideOrigin() never allows an origin that is not listed, whatever comes beside it, but for writes of its own pages', () => {
  const site = fc.constantFrom(undefined, 'same-origin', 'same-site', 'cross-site', 'none', 'x')
  const mode = fc.constantFrom(undefined, 'navigate', 'cors', 'no-cors', 'same-origin', 'websocket')
  const origin = fc.oneof(fc.webUrl(), fc.string(), fc.constantFrom('null', 'https://evil.com'))
  const route = fc.constantFrom('data', 'navigation', 'write', 'preflight' as const)
  fc.assert(
    fc.property(origin, site, mode, route, (from, fetchSite, fetchMode, kind) => {
      if (matchOrigin(patterns, from) !== undefined) return
      const rawHeaders = ['Origin', from]
      if (fetchSite !== undefined) rawHeaders.push('Sec-Fetch-Site', fetchSite)
      if (fetchMode !== undefined) rawHeaders.push('Sec-Fetch-Mode', fetchMode)
      const decision = decideOrigin({ route: kind as RouteKind, rawHeaders, patterns })
      assert.equal(decision.kind === 'allowed', kind === 'write' && fetchSite === 'same-origin')
    }),
  )
})

test('decideOwnOrigin() takes a write with a cookie from our own pages only', () => {
  const own = (...rawHeaders: string[]): boolean =>
    decideOwnOrigin({ rawHeaders, ownOrigins: ['https://billing.example.com'] }).kind === 'allowed'
  assert.ok(own('Origin', 'https://billing.example.com'))
  assert.ok(own('Origin', 'https://billing.example.com', 'Sec-Fetch-Site', 'same-origin'))
  assert.equal(own(), false)
  assert.equal(own('Sec-Fetch-Site', 'same-origin'), false)
  assert.equal(own('Origin', 'https://billing.example.com', 'Sec-Fetch-Site', 'cross-site'), false)
  assert.equal(own('Origin', 'https://billing.example.com.evil.com'), false)
  // A form on a page of ours without a referrer; Chromium 156 sends exactly this.
  assert.ok(own('Origin', 'null', 'Sec-Fetch-Site', 'same-origin'))
  for (const site of ['cross-site', 'same-site', 'none', '']) assert.equal(own('Origin', 'null', 'Sec-Fetch-Site', site), false)
  assert.equal(own('Origin', 'null'), false)
  assert.equal(own('Origin', 'https://billing.example.com', 'Origin', 'https://billing.example.com'), false)
})

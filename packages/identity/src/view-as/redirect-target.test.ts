import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseOriginPattern } from './origin-pattern.ts'
import { checkRedirectTarget } from './redirect-target.ts'

const ORG = 'txzur43pwfcklgvqfix6cr5gqm'
const HOST = `aws-us-east-1-${ORG}-0.materialize.teleport.sh`
const patterns = [
  'https://aws-us-east-1-{org32}-0.materialize.teleport.sh',
  'http://{org32}.env.localhost:4000',
  'https://xn--bcher-kva.example',
  'http://127.0.0.1:4000',
].map(parseOriginPattern)
const locationOf = (to: unknown): string | undefined => {
  const target = checkRedirectTarget(to, patterns)
  return target.kind === 'redirect' ? target.location : undefined
}

test('R20: checkRedirectTarget() sends on to the founding example, with its organization', () => {
  assert.deepEqual(checkRedirectTarget(`https://${HOST}/internal-console`, patterns), {
    kind: 'redirect',
    location: `https://${HOST}/internal-console`,
    organizationId: '9df348f3-6fb1-44a5-9ab0-2a2fe147a683',
  })
})

test('R20: checkRedirectTarget() keeps query, deep path and fragment', () => {
  for (const rest of [
    '/internal-console/',
    '/internal-console/#staging',
    '/internal-console#x',
    '/internal-console?from=2026-11-01&to=2026-11-30',
    '/internal-console/usage/overview?group=model&next=https://evil.com/#a/b',
    '/internal-console/clusters/50%25/%C3%A9',
  ])
    assert.equal(locationOf(`https://${HOST}${rest}`), `https://${HOST}${rest}`)
})

test('R20: checkRedirectTarget() sends on in the normalised form', () => {
  assert.equal(locationOf(`HTTPS://${HOST.toUpperCase()}/internal-console`), `https://${HOST}/internal-console`)
  assert.equal(locationOf(`https://${HOST}:443/internal-console`), `https://${HOST}/internal-console`)
  assert.equal(
    locationOf(`http://${ORG}.env.localhost:4000/internal-console?a"b`),
    `http://${ORG}.env.localhost:4000/internal-console?a%22b`,
  )
})

const HOSTILE: readonly string[] = [
  // Other hosts, and hosts that look alike (R1, R8, R9).
  'https://evil.com/internal-console',
  `https://${HOST}.evil.com/internal-console`,
  `https://evil.com/${HOST}/internal-console`,
  `https://evil.com?https://${HOST}/internal-console`,
  `https://evil.com#https://${HOST}/internal-console`,
  `https://evil${HOST}/internal-console`,
  `https://evil.${HOST}/internal-console`,
  `https://aws-us-east-1-${ORG}-0.materializexteleportxsh.evil.com/internal-console`,
  `https://aws-us-east-1-${ORG}-0xmaterialize.teleport.sh/internal-console`,
  ...['n', 'o', 'p'].map((last) => `https://${HOST.replace(ORG, `${ORG.slice(0, -1)}${last}`)}/internal-console`),
  `https://${HOST.replace(ORG, `${ORG}a`)}/internal-console`,
  `https://mz-${HOST}/internal-console`,
  // Users and passwords.
  `https://${HOST}@evil.com/internal-console`,
  `https://user@${HOST}/internal-console`,
  `https://user:password@${HOST}/internal-console`,
  `https://:@${HOST}/internal-console`,
  `https://${HOST}:443@evil.com/internal-console`,
  `https://evil.com\\@${HOST}/internal-console`,
  `https://evil.com%40${HOST}/internal-console`,
  // Backslashes.
  `https:\\\\${HOST}\\internal-console`,
  `https:/\\${HOST}/internal-console`,
  `https://${HOST}\\internal-console`,
  `https://${HOST}\\.evil.com/internal-console`,
  `https://${HOST}/internal-console\\..\\..\\evil`,
  `\\\\${HOST}/internal-console`,
  // Tabs, new lines, blanks, nulls: the parser drops some of them silently.
  `ht\ttps://${HOST}/internal-console`,
  `https://${HOST}\t/internal-console`,
  `https://evil.com\t.${HOST}/internal-console`,
  `https://${HOST}/internal-console\r\nSet-Cookie: a=b`,
  `https://${HOST}/internal-console\n`,
  `\u0000https://${HOST}/internal-console`,
  ` https://${HOST}/internal-console`,
  `https://${HOST}/internal-console `,
  `https://${HOST} /internal-console`,
  `https://${HOST}/internal-console\u0000`,
  `https://${HOST}/\tinternal-console`,
  // Letters of other alphabets, which host names fold.
  `https://ａws-us-east-1-${ORG}-0.materialize.teleport.sh/internal-console`,
  `https://аws-us-east-1-${ORG}-0.materialize.teleport.sh/internal-console`,
  `https://aws-us-east-1-${ORG}-0。materialize。teleport。sh/internal-console`,
  `https://aws-us-east-1-${ORG}-0.materialize.teleport.ſh/internal-console`,
  `https://bücher.example/internal-console`,
  `https://evil.com／${HOST}/internal-console`,
  `https://${HOST}\u2028/internal-console`,
  `https://${HOST}\u202e/internal-console`,
  'https://xn--/internal-console',
  'https://xn--a/internal-console',
  // Escapes in the host.
  `https://${HOST.replaceAll('.', '%2e')}/internal-console`,
  `https://evil%2ecom/internal-console`,
  `https://${HOST}%00.evil.com/internal-console`,
  `https://${HOST}%2f.evil.com/internal-console`,
  // Addresses.
  'https://127.0.0.1/internal-console',
  'http://2130706433/internal-console',
  'http://2130706433:4000/internal-console',
  'http://127.1:4000/internal-console',
  'http://0x7f.0.0.1:4000/internal-console',
  'http://0177.0.0.1:4000/internal-console',
  'http://0x7f.1/internal-console',
  'http://[::1]/internal-console',
  `https://[::ffff:7f00:1]/internal-console`,
  `https://[${HOST}]/internal-console`,
  // Ports.
  `https://${HOST}:8443/internal-console`,
  `https://${HOST}:/internal-console`,
  `https://${HOST}:0443/internal-console`,
  `https://${HOST}:80/internal-console`,
  `https://${HOST}:65536/internal-console`,
  `http://${ORG}.env.localhost/internal-console`,
  `http://${ORG}.env.localhost:4001/internal-console`,
  // Schemes.
  `http://${HOST}/internal-console`,
  `ftp://${HOST}/internal-console`,
  `ws://${HOST}/internal-console`,
  `blob:https://${HOST}/internal-console`,
  `view-source:https://${HOST}/internal-console`,
  'javascript:alert(1)',
  `javascript://${HOST}/internal-console%0aalert(1)`,
  `JavaScript:alert(1)//https://${HOST}/internal-console`,
  'data:text/html,<script>alert(1)</script>',
  `data://${HOST}/internal-console`,
  'vbscript:x',
  'file:///internal-console',
  // Relative ones.
  '/internal-console',
  'internal-console',
  `//${HOST}/internal-console`,
  '//evil.com/internal-console',
  `///${HOST}/internal-console`,
  `/\\${HOST}/internal-console`,
  `https:${HOST}/internal-console`,
  `https:/${HOST}/internal-console`,
  `https:///${HOST}/internal-console`,
  `https:////${HOST}/internal-console`,
  '?to=x',
  '#',
  '.',
  // A dot at the end is another name to a browser's cookies.
  `https://${HOST}./internal-console`,
  `https://${HOST}../internal-console`,
  `https://.${HOST}/internal-console`,
  // Other paths.
  `https://${HOST}`,
  `https://${HOST}/`,
  `https://${HOST}?/internal-console`,
  `https://${HOST}#/internal-console`,
  `https://${HOST}/internal-consoles`,
  `https://${HOST}/internal-console.evil`,
  `https://${HOST}/internal-console;x`,
  `https://${HOST}/internal-console@evil.com`,
  `https://${HOST}/internal-console%20`,
  `https://${HOST}/Internal-Console`,
  `https://${HOST}/api/internal-console`,
  `https://${HOST}//internal-console`,
  `https://${HOST}//evil.com/internal-console`,
  `https://${HOST}/internal-console//evil.com`,
  `https://${HOST}/teleport-logout?/internal-console`,
  // Ways up, plain, escaped, escaped twice.
  `https://${HOST}/internal-console/../teleport-logout`,
  `https://${HOST}/internal-console/./x`,
  `https://${HOST}/x/../internal-console`,
  `https://${HOST}/internal-console/..`,
  `https://${HOST}/internal-console/%2e%2e/teleport-logout`,
  `https://${HOST}/internal-console/.%2e/teleport-logout`,
  `https://${HOST}/internal-console/..%2fteleport-logout`,
  `https://${HOST}/internal-console/..%5cteleport-logout`,
  `https://${HOST}/internal-console/%252e%252e%252fteleport-logout`,
  `https://${HOST}/internal-console/%25252e%25252e/x`,
  `https://${HOST}/internal-console%2f`,
  `https://${HOST}/internal-console%2F..%2F`,
  `https://${HOST}/internal-console/%0d%0aSet-Cookie:a`,
  `https://${HOST}/internal-console/%250a`,
  `https://${HOST}/internal-console/%00`,
  `https://${HOST}/internal-console/%7f`,
  `https://${HOST}/internal-console/%zz`,
  `https://${HOST}/internal-console/%`,
  `https://${HOST}/%69nternal-console`,
  `https%3A%2F%2F${HOST}%2Finternal-console`,
  `https%253A%252F%252F${HOST}%252Finternal-console`,
  // Too long.
  `https://${HOST}/internal-console?${'a'.repeat(5000)}`,
]

test('R20: checkRedirectTarget() refuses every hostile form', () => {
  for (const to of HOSTILE) assert.equal(locationOf(to), undefined, JSON.stringify(to))
  assert.ok(HOSTILE.length >= 100)
})

test('R20: checkRedirectTarget() refuses a target that is missing, comes twice, or is no text', () => {
  const good = `https://${HOST}/internal-console`
  for (const to of [undefined, '', null, [good], [good, good], [], { toString: () => good }, 1]) assert.equal(locationOf(to), undefined)
  assert.equal(checkRedirectTarget([good, good], patterns).kind === 'refused' && 'repeated', 'repeated')
})

test('R20: what checkRedirectTarget() gives is its own fixed point, below the one path of an allowed host', () => {
  const piece = fc.constantFrom(
    'https://',
    'http://',
    HOST,
    'evil.com',
    '/internal-console',
    '/',
    '//',
    '\\',
    '@',
    ':443',
    '..',
    '%2e',
    '%2f',
    '?',
    '#',
    '\t',
    '.',
    'é',
    'x',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 7 }), (pieces) => {
      for (const to of [pieces.join(''), `https://${HOST}/internal-console${pieces.join('')}`, `https://${HOST}${pieces.join('')}`]) {
        const location = locationOf(to)
        if (location === undefined) continue
        assert.equal(locationOf(location), location)
        const url = new URL(location)
        assert.equal(url.href, location)
        assert.equal(url.host, HOST)
        assert.match(url.pathname, /^\/internal-console(?:$|\/)/)
        assert.ok(!/%2[ef]|%5c|\/\.\.?(?:\/|$)|\/\/|[^!-~]/i.test(url.pathname))
      }
    }),
    { numRuns: 2000 },
  )
})

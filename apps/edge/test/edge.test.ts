import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { ask, bearer, startTestEdge, startTestIssuer } from './support.ts'
import type { Answer } from './support.ts'

const IDENTITY = ['x-saturn-auth-id', 'x-saturn-user-id', 'x-saturn-group-id', 'x-saturn-resource-id', 'x-saturn-resource-type'] as const

const identityOf = (answer: Answer): readonly unknown[] => IDENTITY.map((name) => answer.headers[name])
const codeOf = ({ text }: Answer): unknown => (JSON.parse(text) as { error: { code: unknown } }).error.code

test('a good key passes with 204 and its identity, as Bearer and as x-api-key', async (t) => {
  const { url, addKey } = await startTestEdge(t)
  const { key, authId } = addKey({ userId: 'ann', groupId: 'research' })
  for (const headers of [bearer(key), ['x-api-key', key], [...bearer(key), 'X-API-Key', key], ['authorization', `bearer  ${key}`]]) {
    const answer = await ask(url, { headers })
    assert.equal(answer.status, 204)
    assert.deepEqual(identityOf(answer), [authId, 'ann', 'research', '', ''])
    assert.equal(answer.headers['cache-control'], 'no-store')
  }
})

test('what is not known is said as nothing, so that no copy of the client stays', async (t) => {
  const { url, addKey } = await startTestEdge(t)
  const { key, authId } = addKey()
  assert.deepEqual(identityOf(await ask(url, { headers: bearer(key) })), [authId, '', '', '', ''])
})

test('identity headers of the client change nothing', async (t) => {
  const { url, addKey } = await startTestEdge(t)
  const { key, authId } = addKey()
  const forged = IDENTITY.flatMap((name) => [name, 'forged', name.toUpperCase(), 'forged', name.replaceAll('-', '_'), 'forged'])
  const answer = await ask(url, { headers: [...forged, ...bearer(key)] })
  assert.deepEqual([answer.status, ...identityOf(answer)], [204, authId, '', '', '', ''])
  assert.equal((await ask(url, { headers: forged })).status, 401)
})

test('no key, an unknown one and one that is malformed are 401 in the shape of OpenAI, with a challenge', async (t) => {
  const { url } = await startTestEdge(t)
  const nothing = await ask(url)
  assert.deepEqual([nothing.status, codeOf(nothing)], [401, 'invalid_api_key'])
  assert.equal(nothing.headers['www-authenticate'], 'Bearer realm="ascribe"')
  for (const headers of [
    bearer(`ask_${'a'.repeat(12)}_${'b'.repeat(32)}`),
    bearer('x'),
    ['Authorization', 'Basic eDp5'],
    ['x-api-key', 'x'],
  ]) {
    const answer = await ask(url, { headers })
    assert.deepEqual([answer.status, codeOf(answer), ...identityOf(answer)], [401, 'invalid_api_key', ...IDENTITY.map(() => undefined)])
    assert.match(String(answer.headers['www-authenticate']), /^Bearer realm="ascribe"/)
  }
})

test('a credential that comes twice, or two that differ, is 401: who is behind us might read the other one', async (t) => {
  const { url, addKey } = await startTestEdge(t)
  const [{ key }, { key: other }] = [addKey(), addKey()]
  for (const headers of [
    [...bearer(key), ...bearer(key)],
    [...bearer(key), 'authorization', 'Bearer x'],
    ['x-api-key', key, 'X-Api-Key', key],
    [...bearer(key), 'x-api-key', other],
    ['Authorization', 'Basic eDp5', 'x-api-key', key],
    ['Authorization', `Bearer ${key}, Bearer ${other}`],
  ])
    assert.equal((await ask(url, { headers })).status, 401, headers.join(' '))
})

test('a revoked key is refused within moments, and an expired one at its time, by the clock of the edge', async (t) => {
  let now = Date.parse('2026-11-22T12:00:00Z')
  const { url, addKey, revokeKeys } = await startTestEdge(t, { clock: () => now })
  const ending = addKey({ expiresAt: now + 1000 })
  assert.equal((await ask(url, { headers: bearer(ending.key) })).status, 204)
  now += 1000
  assert.equal((await ask(url, { headers: bearer(ending.key) })).status, 401)
  const { key } = addKey()
  assert.equal((await ask(url, { headers: bearer(key) })).status, 204)
  revokeKeys()
  const deadline = performance.now() + 5000
  while ((await ask(url, { headers: bearer(key) })).status !== 401) assert.ok(performance.now() < deadline, 'the key still works')
})

test('a key without the scope for inference is 403, and says so in the challenge', async (t) => {
  const { url, addKey } = await startTestEdge(t)
  const answer = await ask(url, { headers: bearer(addKey({ scopes: ['billing:read'] }).key) })
  assert.deepEqual([answer.status, codeOf(answer)], [403, 'insufficient_scope'])
  assert.match(String(answer.headers['www-authenticate']), /error="insufficient_scope"/)
})

test('an id that no header can hold, or that would change on the way, takes nobody else down with it and is never said', async (t) => {
  const { url, addKey, log } = await startTestEdge(t)
  const good = addKey()
  for (const fields of [
    { authId: 'auth\r\nX-Saturn-User-Id: admin' },
    { authId: ' auth-1' },
    { authId: '\uFEFFauth-1' },
    { authId: '' },
    { userId: 'user\n' },
    { groupId: 'group\u0085' },
  ]) {
    const { key } = addKey(fields)
    const answer = await ask(url, { headers: bearer(key) })
    assert.deepEqual([answer.status, answer.headers['x-saturn-user-id']], [503, undefined], JSON.stringify(fields))
  }
  assert.equal((await ask(url, { headers: bearer(good.key) })).status, 204)
  assert.match(log.join('\n'), /X-Saturn-Auth-Id would hold what no header can/)
  assert.doesNotMatch(log.join('\n'), /admin|auth-1/)
})

test('without any policy snapshot a key is 503, not 401: nobody knows that it is wrong', async (t) => {
  const { url, edge, addKey } = await startTestEdge(t, { hasPolicy: false })
  const answer = await ask(url, { headers: bearer(`ask_${'a'.repeat(12)}_${'b'.repeat(32)}`) })
  assert.deepEqual([answer.status, codeOf(answer), answer.headers['retry-after']], [503, 'authentication_unavailable', '1'])
  assert.match(edge.unready ?? '', /no policy snapshot/)
  const { key } = addKey()
  assert.equal((await ask(url, { headers: bearer(key) })).status, 204)
  assert.equal(edge.unready, undefined)
})

test('a good token passes as its subject, with the claims that are named; a key of ours needs no issuer', async (t) => {
  const issuer = await startTestIssuer(t)
  const jwt = { issuer: issuer.url, audience: 'inference', userClaim: 'user.id', groupClaim: 'group', scope: 'inference' }
  const { url, addKey } = await startTestEdge(t, { jwt })
  const { key } = addKey()
  const token = issuer.token({ user: { id: 42 }, group: 'grüße à', scope: 'openid inference' })
  const answer = await ask(url, { headers: bearer(token) })
  assert.equal(answer.status, 204)
  const text = (name: string): string => Buffer.from(String(answer.headers[name]), 'latin1').toString()
  assert.deepEqual([text('x-saturn-auth-id'), text('x-saturn-user-id'), text('x-saturn-group-id')], ['tok-1', '42', 'grüße à'])
  assert.equal((await ask(url, { headers: bearer(issuer.token({ scope: 'openid' })) })).status, 403)
  assert.equal((await ask(url, { headers: bearer(issuer.token({ scp: ['inference'] })) })).status, 204)
  issuer.status = 500
  assert.equal((await ask(url, { headers: bearer(key) })).status, 204)
})

test('a token that is forged, of another issuer, audience or time, or for something else is 401, and nothing says why', async (t) => {
  const issuer = await startTestIssuer(t)
  const { url, meters } = await startTestEdge(t, { jwt: { issuer: issuer.url, audience: 'inference' } })
  const good = issuer.token()
  const past = Math.floor(Date.now() / 1000) - 3600
  const answers = await Promise.all(
    [
      `${good.slice(0, -6)}AAAAAA`,
      issuer.token({ iss: 'https://elsewhere.example' }),
      issuer.token({ aud: 'other' }),
      issuer.token({ exp: past }),
      issuer.token({ sub: '' }),
      issuer.token({ sub: ' tok-1' }),
      // As long as no auth id of the directory: nobody could ever be billed for it.
      issuer.token({ sub: 'é'.repeat(513) }),
      issuer.token({ typ: 'ID' }),
      'a.b.c',
    ].map((token) => ask(url, { headers: bearer(token) })),
  )
  assert.deepEqual(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size, 1)
  assert.equal(answers[0]?.status, 401)
  for (const check of ['signature', 'issuer', 'audience', 'expired', 'subject', 'type', 'shape'])
    assert.match(
      meters.render(),
      new RegExp(`status="401",reason="token_${check}"|reason="token_${check}",status="401"|token_shape`),
      check,
    )
})

test('when the keys of the issuer cannot be had a token is 503, never 2xx', async (t) => {
  const issuer = await startTestIssuer(t)
  issuer.status = 500
  const { url, edge } = await startTestEdge(t, { jwt: { issuer: issuer.url, audience: 'inference', jwksUrl: `${issuer.url}/keys` } })
  const answer = await ask(url, { headers: bearer(issuer.token()) })
  assert.deepEqual([answer.status, codeOf(answer)], [503, 'authentication_unavailable'])
  assert.deepEqual(
    identityOf(answer),
    IDENTITY.map(() => undefined),
  )
  assert.match(edge.issuerTrouble ?? '', /cannot be fetched/)
})

test('without an issuer a token is an unknown key', async (t) => {
  const issuer = await startTestIssuer(t)
  const { url } = await startTestEdge(t)
  assert.equal((await ask(url, { headers: bearer(issuer.token()) })).status, 401)
})

test('no credential is in a log or in the metrics, passed or refused', async (t) => {
  const issuer = await startTestIssuer(t)
  const { url, addKey, log, meters } = await startTestEdge(t, { jwt: { issuer: issuer.url, audience: 'inference' } })
  const { key, authId } = addKey()
  const canaries = [
    key,
    'canary-of-a-key',
    issuer.token(),
    issuer.token({ aud: 'canary-audience' }),
    issuer.token({ sub: 'canary-subject' }),
  ]
  for (const token of canaries) await ask(url, { headers: [...bearer(token), 'X-Forwarded-Uri', '/v1?canary-query'] })
  const all = `${log.join('\n')}\n${meters.render()}`
  for (const secret of [...canaries, authId, 'canary']) assert.ok(!all.includes(secret), secret)
})

test('a body is never read: the answer comes after the head, and the connection ends', async (t) => {
  const { port, addKey } = await startTestEdge(t)
  const { key } = addKey()
  for (const announced of ['Content-Length: 1000000', 'Transfer-Encoding: chunked', 'Content-Length: 10\r\nExpect: 100-continue']) {
    const socket = connect(port, '127.0.0.1')
    socket.write(`POST / HTTP/1.1\r\nHost: edge\r\nAuthorization: Bearer ${key}\r\n${announced}\r\n\r\n`)
    const heard: Buffer[] = []
    socket.on('data', (chunk: Buffer) => heard.push(chunk))
    await once(socket, 'close')
    const text = Buffer.concat(heard).toString()
    assert.match(text, /^HTTP\/1\.1 204 /, announced)
    assert.match(text, /connection: close/i, announced)
  }
})

test('a head with thousands of fields is not cut: what the proxy wrote last counts', async (t) => {
  const { port, addKey } = await startTestEdge(t, { rules: [{ host: 'a.example', resourceId: 'res-a' }], forwardedFrom: ['127.0.0.1'] })
  const { key } = addKey()
  const socket = connect(port, '127.0.0.1')
  socket.write(`GET / HTTP/1.1\r\nHost: edge\r\n${'a: b\r\n'.repeat(4000)}Authorization: Bearer ${key}\r\nX-Forwarded-Host: a.example\r\n`)
  socket.write('Connection: close\r\n\r\n')
  const text = Buffer.concat(await socket.toArray()).toString()
  assert.match(text, /^HTTP\/1\.1 204 [\s\S]*X-Saturn-Resource-Id: res-a/i)
})

test('close() lets an answer that is under way end, and takes nothing more', async (t) => {
  const issuer = await startTestIssuer(t)
  const { url, edge } = await startTestEdge(t, { jwt: { issuer: issuer.url, audience: 'inference' } })
  const open = ask(url, { headers: bearer(issuer.token()) })
  // Its head has arrived when another one has been answered on a connection that came later.
  await ask(url)
  const closed = edge.close({ graceMs: 5000 })
  assert.match(edge.unready ?? '', /shutting down/)
  assert.equal((await open).status, 204)
  await closed
  await assert.rejects(ask(url))
})

test('an edge that stops never leaves a proxy a connection to ask on, and does not wait for it either', { timeout: 30_000 }, async (t) => {
  const { port, edge, addKey } = await startTestEdge(t)
  const head = `GET / HTTP/1.1\r\nHost: edge\r\nAuthorization: Bearer ${addKey().key}\r\n`
  const socket = connect(port, '127.0.0.1').setEncoding('latin1')
  let heard = ''
  socket.on('data', (text: string) => (heard += text))
  // The second question has begun when the first is answered.
  socket.write(`${head}\r\n${head}`)
  await once(socket, 'data')
  const closed = edge.close({ graceMs: 2 ** 31 - 1 })
  const ended = once(socket, 'end')
  socket.write('\r\n')
  await ended
  await closed
  const [, second = ''] = heard.split('HTTP/1.1 204').slice(1)
  assert.match(second, /^connection: close/im)
})

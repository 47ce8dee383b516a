import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cookieValues, createCookieJar } from './cookies.ts'

test('createCookieJar() uses __Host- and Secure over https, and neither on plain http, where browsers refuse them', () => {
  const secure = createCookieJar('https://billing.example.com')
  assert.equal(secure.set(secure.session, 'v'), '__Host-ascribe_session=v; Path=/; HttpOnly; SameSite=Lax; Secure')
  assert.equal(secure.clear(secure.session), '__Host-ascribe_session=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0')
  const plain = createCookieJar('http://127.0.0.1:3000')
  assert.equal(plain.set(plain.session, 'v', { maxAgeMs: 600_000 }), 'ascribe_session=v; Path=/; HttpOnly; SameSite=Lax; Max-Age=600')
})

test('createCookieJar() names the cookie of a sign-in by its state, and by nothing that a name cannot hold', () => {
  const jar = createCookieJar('https://billing.example.com')
  assert.equal(jar.attempt('abcdefghijklmnop'), '__Host-ascribe_login_abcdefghijkl')
  assert.equal(jar.attempt('a=b; Domain=evil\r\n'), '__Host-ascribe_login_abDomainevil')
  assert.deepEqual(jar.attemptsIn(['Cookie', 'x=1; __Host-ascribe_login_a=2', 'cookie', '__Host-ascribe_login_b=3; ascribe_login_c=4']), [
    '__Host-ascribe_login_a',
    '__Host-ascribe_login_b',
  ])
})

test('cookieValues() sees every value of a name, in one header or in several', () => {
  assert.deepEqual(cookieValues(['Cookie', 'a=1; b=2', 'Host', 'a=9', 'cookie', ' a=3;a=4; aa=5;a'], 'a'), ['1', '3', '4'])
  assert.deepEqual(cookieValues(['Cookie', 'a=b=c'], 'a'), ['b=c'])
  assert.deepEqual(cookieValues([], 'a'), [])
})

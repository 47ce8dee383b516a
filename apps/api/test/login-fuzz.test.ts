import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { startRig } from './login-support.ts'
import type { LoginRig } from './login-support.ts'

let rig: LoginRig
before(async () => {
  rig = await startRig()
})
after(() => rig[Symbol.asyncDispose]())

const name = fc.constantFrom(
  'returnTo',
  'organization',
  'state',
  'code',
  'error',
  'error_description',
  'iss',
  'response',
  'id_token',
  'token',
  '__proto__',
  'x',
)
const value = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '',
    '/console/',
    '//evil.com',
    'A'.repeat(43),
    'eyJhbGciOiJub25lIn0.e30.',
    '../..',
    '%00',
    'ffffffff-ffff-4fff-bfff-ffffffffffff',
  ),
)
const parameters = fc.array(fc.tuple(name, value), { maxLength: 5 })
const cookie = fc.constantFrom(
  undefined,
  'ascribe_session=',
  `ascribe_session=${'A'.repeat(43)}`,
  'ascribe_session=a; ascribe_session=b',
  `ascribe_login_AAAAAAAAAAAA=${'A'.repeat(300)}`,
  '=;=;;',
  'ascribe_session',
)
const authorization = fc.constantFrom(
  undefined,
  'Bearer',
  'Bearer a.b.c',
  'Basic x',
  `Bearer ${'a'.repeat(9000)}`,
  'Bearer eyJhbGciOiJSUzI1NiJ9.e30.AA',
)
const request = fc.record({
  path: fc.constantFrom(
    '/login',
    '/login/callback',
    '/logout',
    '/login/backchannel-logout',
    '/v1/me',
    '/v1/me/organization',
    '/api/organization',
  ),
  isPost: fc.boolean(),
  query: parameters,
  form: fc.option(fc.array(fc.tuple(fc.constantFrom('organization', 'logout_token', 'x'), value), { maxLength: 3 })),
  cookie,
  authorization,
  origin: fc.constantFrom(undefined, 'null', 'https://evil.com', 'own'),
  organization: fc.constantFrom(undefined, 'x', 'ffffffff-ffff-4fff-bfff-ffffffffffff'),
})

test('login: no input of a stranger makes a fault of ours, or a session', async () => {
  await fc.assert(
    fc.asyncProperty(request, async ({ path, isPost, query, form, origin, organization, ...rest }) => {
      const headers = new Headers()
      if (rest.cookie !== undefined) headers.set('cookie', rest.cookie)
      if (rest.authorization !== undefined) headers.set('authorization', rest.authorization)
      if (origin !== undefined) headers.set('origin', origin === 'own' ? rig.url : origin)
      if (organization !== undefined) headers.set('x-ascribe-organization', organization)
      const search = new URLSearchParams(query.map(([key, text]) => [key, text])).toString()
      const reply = await fetch(`${rig.url}${path}?${search}`, {
        method: isPost ? 'POST' : 'GET',
        redirect: 'manual',
        headers,
        ...(isPost && form !== null && { body: new URLSearchParams(form.map(([key, text]) => [key, text])) }),
      })
      const text = await reply.text()
      assert.ok(reply.status < 500, `${reply.status} ${path}?${search} ${text}`)
      if (reply.status >= 400) assert.ok('requestId' in (JSON.parse(text) as object), text)
      for (const set of reply.headers.getSetCookie()) assert.ok(!/^ascribe_session=[^;]/.test(set), set)
    }),
    { numRuns: 500 },
  )
  assert.equal((await rig.db.query('select from web_session')).rowCount, 0)
})

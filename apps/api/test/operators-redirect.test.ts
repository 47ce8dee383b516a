import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { organization32 } from '@ascribe/identity/view-as'
import { CONSOLE, CONSOLES, OLGA, openOperators, refusal, send } from './operators-support.ts'

// R20, over HTTP: where the way in may lead. The corpus of forms is packages/identity's; here is what arrives through a URL and a server.

const operators = await openOperators()
after(() => operators[Symbol.asyncDispose]())
const ID = '9e8b1bc8-fa08-4870-a21f-22ac01cc3808'
const OTHER = '9df348f3-6fb1-44a5-9ab0-2a2fe147a683'
const HOST = CONSOLES.replace('{org32}', organization32(ID))

async function go(query: string, headers: readonly string[] = []): ReturnType<typeof send> {
  return send(`${operators.internal}/redirect${query}`, { headers: [...(await operators.as(OLGA)), ...headers] })
}
const to = (target: string): string => `?to=${encodeURIComponent(target)}`

test('GET /redirect goes on to an allow-listed console with deep path, query and fragment, from any page that navigates', async () => {
  for (const target of [
    `${HOST}/internal-console`,
    `${HOST}/internal-console/`,
    `${HOST}/internal-console/usage/overview?range=30&x=%26#part`,
    `${CONSOLE}/internal-console?a=b`,
    `${CONSOLE}/internal-console#staging`,
  ]) {
    const reply = await go(to(target), ['sec-fetch-site', 'cross-site', 'sec-fetch-mode', 'navigate', 'accept', 'text/html,*/*;q=0.8'])
    assert.deepEqual([reply.status, reply.headers['location'], reply.text], [302, target, ''], target)
  }
})

test('GET /redirect refuses every hostile form, and names no target in its answer', async () => {
  const hostile = [
    'https://evil.example/internal-console',
    `${HOST}.evil.example/internal-console`,
    `${HOST}@evil.example/internal-console`,
    `https://evil.example#${HOST}/internal-console`,
    `${HOST}:8443/internal-console`,
    `${HOST.replace('https', 'http')}/internal-console`,
    `${HOST.replace('.example.com', 'xexample.com')}/internal-console`,
    `${HOST}/internal-console-evil`,
    `${HOST}/internal-consolex`,
    `${HOST}/internal-console/../admin`,
    `${HOST}/internal-console/%2e%2e/admin`,
    `${HOST}/internal-console/%252e%252e/admin`,
    `${HOST}/internal-console%2f..%2fadmin`,
    `${HOST}/x/internal-console`,
    `${HOST}\\@evil.example/internal-console`,
    `${HOST}//internal-console`,
    '//evil.example/internal-console',
    '/internal-console',
    'javascript:alert(1)//internal-console',
    'data:text/html,x',
    `${HOST}/internal-console\r\nset-cookie: x=y`,
    `${HOST}/internal-console\u0000`,
    ` ${HOST}/internal-console`,
    `${HOST}/internal-console\t`,
    HOST.replace(organization32(ID), `${organization32(ID).slice(0, -1)}b`) + '/internal-console',
    HOST.replace('aws', 'аws') + '/internal-console',
    `${HOST.replace('example', 'EXAMPLE')}.:443/internal-console`,
    '',
    'x'.repeat(5000),
  ]
  for (const target of hostile) {
    const reply = await go(to(target))
    assert.deepEqual(refusal(reply), [400, 'redirect_refused'], JSON.stringify(target))
    assert.equal(reply.headers['location'], undefined)
    assert.doesNotMatch(reply.text, /evil/)
  }
  assert.deepEqual(refusal(await go('')), [400, 'redirect_refused'])
  assert.deepEqual(refusal(await go(`${to(`${HOST}/internal-console`)}&to=${encodeURIComponent('https://evil.example')}`)), [
    400,
    'redirect_refused',
  ])
})

test('GET /redirect is only for operators, and a target that stands for another organization than the request names is refused', async () => {
  const target = to(`${HOST}/internal-console`)
  assert.deepEqual(refusal(await send(`${operators.internal}/redirect${target}`)), [401, 'unauthenticated'])
  assert.equal((await go(target, ['x-materialize-organization-id', ID])).status, 302)
  assert.deepEqual(refusal(await go(target, ['x-materialize-organization-id', OTHER])), [400, 'organization_ambiguous'])
  assert.deepEqual(refusal(await go(target, ['origin', 'https://evil.example', 'sec-fetch-mode', 'navigate'])), [403, 'origin_refused'])
  const head = await send(`${operators.internal}/redirect${target}`, { method: 'HEAD', headers: await operators.as(OLGA) })
  assert.deepEqual([head.status, head.headers['location']], [302, `${HOST}/internal-console`])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import type { LogFields, Logger } from '@ascribe/kit'
import { createBasicAuthenticator } from '../src/authenticator.ts'
import type { CloudSigma } from '../src/client.ts'
import { DRIVE, SERVER, clientOf, serverJson, startScriptedCloud } from './scripted-cloud.ts'
import type { Asked, Reply } from './scripted-cloud.ts'

/** Every secret of this file has it in it. */
const MARK = 'CANARY'

/** All that can be reached from a thrown value: every property, hidden ones and causes too. */
function everythingOf(thrown: unknown, seen: Set<unknown> = new Set()): string {
  if (typeof thrown !== 'object' || thrown === null) return String(thrown)
  if (seen.has(thrown)) return ''
  seen.add(thrown)
  const own = Reflect.ownKeys(thrown).map((key) => `${String(key)}=${everythingOf(Reflect.get(thrown, key), seen)}`)
  return [inspect(thrown, { depth: 20, showHidden: true, getters: true }), JSON.stringify(thrown), ...own].join('\n')
}

function recordingLogger(lines: string[]): Logger {
  const write = (message: string, fields?: LogFields): void =>
    void lines.push(`${message} ${inspect(fields, { depth: 9, showHidden: true })}`)
  return { debug: write, info: write, warn: write, error: write, child: () => recordingLogger(lines) }
}

const SPEC = {
  name: 'a',
  cpuMhz: 2000,
  memBytes: 2 ** 30,
  vncPassword: `${MARK}-vnc`,
  meta: { 'cloudinit-user-data': `${MARK}-bootstrap`, base64_fields: 'cloudinit-user-data' },
}

const CALLS: Record<string, (client: CloudSigma) => Promise<unknown>> = {
  profile: (client) => client.account.profile(),
  list: (client) => client.servers.list(),
  get: (client) => client.servers.get(SERVER),
  create: (client) => client.servers.create(SPEC),
  update: (client) => client.servers.update(SERVER, SPEC),
  delete: (client) => client.servers.delete(SERVER),
  console: (client) => client.servers.act(SERVER, 'open_vnc'),
  clone: (client) => client.drives.clone(DRIVE, { name: 'x' }),
}

/** Answers that repeat everything that was sent, in every place an answer has. */
function echoes(asked: Asked): Record<string, Reply | 'cut'> {
  const all = `${asked.headers.authorization} ${asked.text}`
  const body = [{ error_type: 'validation', error_message: all, error_point: all }]
  const state = `Error attempting to put '${all}' in state 'deleting'. It should be in state 'stopped', not 'running'.`
  // What an attacker's server would put where an id is expected.
  const headers = { 'x-request-id': all.replaceAll(/[^\x20-\x7e]/g, ''), 'retry-after': all.replaceAll(/[^\x20-\x7e]/g, '') }
  return {
    'a validation error': { status: 400, body, headers },
    'a refusal by state': { status: 403, body: [{ error_type: 'permission', error_message: state }] },
    'a refusal that nobody knows': { status: 403, body: [{ error_type: 'permission', error_message: all }] },
    'not accepted': { status: 401, body, headers },
    'a page': { status: 502, body: `<html>${all}</html>`, headers: { 'content-type': 'text/html' } },
    'a server error': { status: 500, body },
    'too many': { status: 429, body, headers },
    'a redirect': { status: 307, headers: { location: `http://127.0.0.1:1/?${encodeURIComponent(all)}` } },
    'what is no JSON': { status: 200, body: all },
    'half an answer': { status: 200, body: JSON.stringify({ uuid: all, objects: [all] }).slice(0, -2) },
    'another shape': { status: 200, body: { [all]: all, objects: [{ name: all }, { name: all }], meta: { total_count: all } } },
    'a broken connection': 'cut',
  }
}

for (const scheme of ['bearer', 'basic'] as const) {
  test(
    `H-15, R-37: no failure of any kind holds what was sent, as ${scheme}: not in errors, not in logs`,
    { timeout: 30_000 },
    async () => {
      const lines: string[] = []
      const kinds = Object.keys(
        echoes({ method: '', path: '', query: new URLSearchParams(), headers: {}, text: '', body: undefined, port: 0 }),
      )
      let kind = ''
      let failures = 0
      await using cloud = await startScriptedCloud((asked, response) => {
        const reply = echoes(asked)[kind]
        if (reply !== undefined && reply !== 'cut') return reply
        response.destroy()
        return 'handled'
      })
      const bearer = {
        authorize: async () => ({
          header: `Bearer ${MARK}-token`,
          token: { [inspect.custom]: () => '[redacted]', toJSON: () => '[redacted]' },
        }),
        rejected: () => {},
      }
      const authenticator =
        scheme === 'bearer' ? bearer : createBasicAuthenticator({ username: 'user@example.com', password: `${MARK}-password` })
      const encoded = Buffer.from(`user@example.com:${MARK}-password`).toString('base64')
      await using client = clientOf(cloud, { authenticator, logger: recordingLogger(lines) })
      for (kind of kinds) {
        for (const [name, call] of Object.entries(CALLS)) {
          try {
            await call(client)
          } catch (error) {
            failures += 1
            const text = everythingOf(error)
            assert.ok(!text.includes(MARK) && !text.includes(encoded), `${name} after ${kind}: ${text}`)
          }
        }
      }
      assert.ok(failures > kinds.length * (Object.keys(CALLS).length - 2), `only ${failures} calls failed`)
      assert.ok(lines.length >= failures)
      assert.ok(!lines.some((line) => line.includes(MARK) || line.includes(encoded)))
    },
  )
}

test('R-37: what was read prints without its secrets, and gives them where they are used', async () => {
  await using cloud = await startScriptedCloud(() => ({ status: 200, body: serverJson(SERVER) }))
  await using client = clientOf(cloud)
  const server = await client.servers.get(SERVER)
  for (const text of [inspect(server, { depth: 9, showHidden: true }), JSON.stringify(server), String(server.vncPassword)])
    assert.doesNotMatch(text, /CANARY/)
  assert.match(JSON.stringify(server), /"cloudinit-user-data":"\[redacted\]"/)
  assert.equal(server.vncPassword?.reveal(), 'CANARY-VNC')
  assert.equal(server.meta.get('cloudinit-user-data'), 'CANARY-BOOTSTRAP')
})

test('H-15: credentials that a header cannot hold are refused without being said', async () => {
  await using cloud = await startScriptedCloud(() => ({ status: 204 }))
  const authenticator = { authorize: async () => ({ header: `Bearer ${MARK}\n`, token: undefined }), rejected: () => {} }
  await using client = clientOf(cloud, { authenticator })
  await assert.rejects(client.account.profile(), (error: unknown) => !everythingOf(error).includes(MARK))
  assert.equal(cloud.asked.length, 0)
})

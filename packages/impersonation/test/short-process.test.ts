import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { text } from 'node:stream/consumers'
import { listen, tinyCloud } from './support/loopback.ts'

const SCRIPT = `
import { constantSecret, createIssuer, createRegionTable, createTokenSource } from ${JSON.stringify(join(import.meta.dirname, '..', 'src', 'index.ts'))}
const port = process.argv[1]
const source = createTokenSource({
  issuer: createIssuer({ oauthUrl: 'http://127.0.0.1:' + port }), clientId: 'c', secret: constantSecret('s'),
  regions: createRegionTable({ template: 'http://direct.{region}.localhost:' + port }), audit: async () => {},
})
const { ownerUuid } = await source.discover({ ownerEmail: 'user7@example.com', region: 'zrh' })
console.log(ownerUuid)
`

test('a process that does nothing else lives through the pause before the second try, and then ends by itself', async () => {
  const good = tinyCloud()
  let failures = 1
  await using cloud = await listen((request, response, socket) => {
    // Without connection there is nothing but our own timer to live for.
    if (request.path.includes('impersonate') && failures-- > 0) response.writeHead(503, { connection: 'close' }).end()
    else good(request, response, socket)
  })
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', SCRIPT, String(cloud.port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = new Promise((resolve) => child.once('close', resolve))
  assert.equal(await text(child.stdout), '00000000-0000-4000-8000-000000000007\n')
  assert.equal(await closed, 0)
})

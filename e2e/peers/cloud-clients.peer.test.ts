import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { text } from 'node:stream/consumers'
import { startSandboxCloud } from '@ascribe/sandbox'
import { cloudClients } from './cloud-clients/install.ts'

// Clients that were written against the real cloud work the sandbox, unmodified: the maker's own (pycloudsigma) and libcloud's driver.

const available = await cloudClients()

test('the maker’s client and libcloud work the sandbox cloud as they work the real one', { skip: available.skip }, async () => {
  assert(available.skip === false)
  // libcloud sends actions without a body, and in its users' hands that works.
  const quick = { startMs: 100, stopMs: 100, cloneMs: 100, driveCreateMs: 50, resizeMs: 50, listLagMs: 0 }
  await using cloud = await startSandboxCloud({ knobs: { ...quick, emptyActionBody: 'accepted' } })
  const { hostname, port } = new URL(String(cloud.regions['zrh']?.other))
  const basic = { authorization: `Basic ${Buffer.from('user@example.com:user-password').toString('base64')}` }
  const library = await fetch(`http://${hostname}:${port}/api/2.0/libdrives/`, { headers: basic })
  const { objects } = (await library.json()) as { objects: { uuid: string }[] }
  const script = join(import.meta.dirname, 'cloud-clients', 'clients.py')
  const args = [script, hostname, port, 'user@example.com', 'user-password', objects[0]?.uuid ?? '']
  const child = spawn(available.python, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close') as Promise<[number | null]>])
  assert.equal(code, 0)
  assert.deepEqual(JSON.parse(output), {
    own: {
      email: 'user@example.com',
      clone: 'cloning_dst',
      mounted: [true],
      started: 'success',
      nic: 'public',
      tagged: [true],
      refused: 'permission',
      left: [],
      session: 'user@example.com',
    },
    libcloud: {
      meta: { who: 'libcloud' },
      state: 'running',
      public: 1,
      attached: true,
      status: 'mounted',
      'nics kept': 1,
      detached: true,
      tagged: [],
      tags: ['lib'],
      balance: ['balance', 'credit_limit', 'currency'],
      subscriptions: ['ip', 'vlan'],
      destroyed: true,
      left: [],
    },
  })
  assert.equal(cloud.bill('user@example.com')['zrh']?.diskBytes, 0n, 'nothing goes on costing')
})

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { text } from 'node:stream/consumers'
import { temporaryDir, up } from '../support/product.ts'
import { openmeterForPython } from './openmeter/install.ts'

// The official Python client of OpenMeter, unmodified; those for JavaScript are in e2e/ingest.test.ts.

const available = await openmeterForPython()

const CONFIG = `
ingest:
  events:
    - { type: prompt, resource_id: playground, model: $.model, subject: user, meters: { input_tokens: $.tokens, output_tokens: { path: $.output, optional: true } } }
`

test(
  'openmeter for Python ingests one event and a batch, each once, and is told what cannot be taken',
  { skip: available.skip },
  async () => {
    assert(available.skip === false)
    using dir = temporaryDir()
    writeFileSync(join(dir.path, 'ascribe.yaml'), CONFIG)
    await using product = await up(dir.path)
    const { id } = product.ready.organization
    const { key } = await product.cli<{ key: string }>('keys', 'create', '--org', id, '--scope', 'usage:write')
    const script = join(import.meta.dirname, 'openmeter', 'ingest.py')
    const child = spawn(available.python, [script, product.ready.api, key], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close') as Promise<[number | null]>])
    assert.equal(code, 0)
    assert.deepEqual(JSON.parse(output), { one: 204, again: 204, batch: 204, unknown: 400, conflict: 409 })
    const events = await product.eventsUntil(3)
    const inOrder = events.toSorted((a, b) => (a.request_id < b.request_id ? -1 : 1))
    assert.deepEqual(
      inOrder.map(({ request_id: requestId, user_id: userId, meters }) => [requestId, userId, meters]),
      ['py-1', 'py-2', 'py-3'].map((name) => [name, 'ada', { input_tokens: 1000, output_tokens: 10 }]),
    )
  },
)

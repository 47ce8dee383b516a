import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { reasonText } from '@ascribe/kinds'

/** Of events, which say what happened and ask for nothing. */
const EVENTS = new Set([
  'MachineAbandoned',
  'OldOwnerAnnotation',
  'SecondDriveRemoved',
  'SecondServerRemoved',
  'ServerCreated',
  'ServerDeleted',
  'ServerRestarted',
  'UsingPlatformAccount',
])
/** Of the API server's errors. */
const KUBERNETES = new Set(['NotFound', 'Conflict', 'AlreadyExists', 'Invalid', 'Forbidden', 'Expired', 'Gone'])

test('every reason in the sources is one that the documentation explains', () => {
  const root = join(import.meta.dirname, '..', 'src')
  const unknown: string[] = []
  let found = 0
  for (const file of globSync('**/*.ts', { cwd: root, exclude: (name) => name.endsWith('.test.ts') })) {
    const text = readFileSync(join(root, file), 'utf8')
    for (const [, reason = ''] of text.matchAll(/(?:reason: |reason === |failed\(|waits\(|held\()'([A-Z][A-Za-z]+)'/g)) {
      found += 1
      if (reasonText(reason) === undefined && !EVENTS.has(reason) && !KUBERNETES.has(reason)) unknown.push(`${file}: ${reason}`)
    }
  }
  assert.ok(found > 50, `only ${found} reasons were found: does the pattern still fit?`)
  assert.deepEqual(unknown, [])
})

import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { runSteps } from './steps.ts'

test('runSteps() runs every step, and shows the output of those that failed, with what mends it', async () => {
  const lines: string[] = []
  const summary = await runSteps(
    [
      { name: 'sound', command: ['node', '--eval', 'console.log("nothing to see")'] },
      { name: 'faulty', command: ['node', '--eval', 'console.error("line 7 is wrong"); process.exitCode = 3'], mend: 'npm run format' },
      { name: 'absent', command: ['no-such-program-here'] },
      { name: 'last', command: ['node', '--version'] },
    ],
    { root: tmpdir(), print: (line) => void lines.push(line) },
  )
  const shown = lines.join('\n')
  assert.deepEqual(summary, { passed: 2, failed: 2, skipped: 0 })
  for (const line of [/^✓ sound +[\d.]+ s$/m, /^✗ faulty /m, /^✗ absent /m, /^✓ last /m]) assert.match(shown, line)
  assert.match(shown, /── faulty: node --eval .*\nline 7 is wrong\nmend it: npm run format/)
  assert.match(shown, /Cannot run no-such-program-here/)
  assert.match(shown, /2 of 4 checks failed$/)
  assert.doesNotMatch(shown, /nothing to see/)
})

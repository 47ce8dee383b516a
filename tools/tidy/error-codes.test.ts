import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderErrors } from '../errors.ts'
import { errorCodeRules, errorCodesOf } from './error-codes.ts'
import { SOUND, proveRules } from './planted.ts'
import { createTree } from './tree.ts'

const ERRORS = 'packages/ledger/src/errors.ts'
const declared = (code: string): string =>
  `/** The period is closed:\n * see {@link Period}. */\nexport class ClosedError extends AscribeError {\n  override readonly code = '${code}'\n  override readonly retryable = true\n}\n`

proveRules(errorCodeRules, {
  'an error code is declared by one class': {
    faults: [
      {
        files: { [ERRORS]: declared('PERIOD_CLOSED'), 'packages/usage/src/errors.ts': declared('PERIOD_CLOSED') },
        found: `packages/usage/src/errors.ts:4 declares PERIOD_CLOSED, as ${ERRORS}:4 does`,
      },
    ],
    sound: [{ [ERRORS]: declared('PERIOD_CLOSED'), 'packages/usage/test/errors.test.ts': declared('PERIOD_CLOSED') }],
  },
  'declared and listed error codes agree': {
    faults: [
      { files: { [ERRORS]: declared('PERIOD_CLOSED') }, found: `${ERRORS}:4 declares PERIOD_CLOSED, which docs/errors.md does not list` },
      {
        files: { 'docs/errors.md': '# Codes\n| `PERIOD_CLOSED` | x |\n' },
        found: 'docs/errors.md:2 lists PERIOD_CLOSED, which no class declares',
      },
    ],
    sound: [
      { [ERRORS]: declared('PERIOD_CLOSED'), 'docs/errors.md': '| `PERIOD_CLOSED` | x |\n' },
      { [ERRORS]: "class A { code = 'lower' }\n" },
    ],
  },
})

test('errorCodesOf() reads meaning and retry from the class', () => {
  const [found] = errorCodesOf(createTree({ ...SOUND, [ERRORS]: declared('PERIOD_CLOSED') }))
  assert.deepEqual(found, {
    code: 'PERIOD_CLOSED',
    className: 'ClosedError',
    file: ERRORS,
    line: 4,
    area: 'ledger',
    meaning: 'The period is closed: see `Period`.',
    isRetryable: true,
  })
})

test('renderErrors() satisfies the rule that reads it back', () => {
  const tree = createTree({ ...SOUND, [ERRORS]: declared('PERIOD_CLOSED') })
  const listed = createTree({ ...SOUND, [ERRORS]: declared('PERIOD_CLOSED'), 'docs/errors.md': renderErrors(tree) })
  for (const rule of errorCodeRules) assert.deepEqual(rule.check(listed), [])
  assert.match(renderErrors(tree), /\| `PERIOD_CLOSED` \| ledger \| `ClosedError` \| yes \| The period is closed/)
})

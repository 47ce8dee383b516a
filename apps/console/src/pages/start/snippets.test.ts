import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { modelsToTry, snippetOf } from './snippets.ts'

const PARTS = { gatewayUrl: 'https://gateway.example/', model: 'ada\'s "70b"', keyName: "it's $HOME\n`x`" }

test('snippetOf() gives a shell exactly what it says, whatever the model and the key are called', () => {
  const script = snippetOf('curl', PARTS).replace(/^curl /m, 'printf "%s\\n" ')
  const [url = '', , bearer = '', , , , body = ''] = execFileSync('sh', ['-c', script], { encoding: 'utf8', env: {} }).split(/\n(?!`)/)
  assert.equal(url, 'https://gateway.example/v1/chat/completions')
  assert.ok(bearer.startsWith("Authorization: Bearer <secret of it's $HOME"))
  assert.deepEqual((JSON.parse(body) as { model: string }).model, PARTS.model)
})

test('snippetOf() keeps a key of any name inside its comment, and never has a secret', () => {
  for (const language of ['python', 'javascript'] as const) {
    const lines = snippetOf(language, PARTS).split('\n')
    assert.equal(lines.filter((line) => line.includes('`x`')).length, 1, language)
    assert.ok(lines.some((line) => line.includes(JSON.stringify(PARTS.model))))
    assert.ok(lines.some((line) => line.includes('https://gateway.example/v1')))
  }
})

test('modelsToTry() names models that have a price, for an organization that has used none too, and never a machine', () => {
  assert.deepEqual(modelsToTry([], ['large', 'small']), ['large', 'small'])
  assert.deepEqual(modelsToTry(['vm.small', 'small', '', 'gone', 'ft:small:mine'], ['large', 'small']), ['small', 'ft:small:mine', 'large'])
  assert.deepEqual(modelsToTry(['small', ''], undefined), ['small'])
})

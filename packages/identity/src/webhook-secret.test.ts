import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alertSecrets, formatWebhookSecret, webhookSecrets } from './webhook-secret.ts'

const [NEW, OLD] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]

test('webhookSecrets() derives one for each server secret and URL, the newest first, and none from another', () => {
  const both = webhookSecrets([NEW, OLD], 'https://a.example/hook').map(formatWebhookSecret)
  assert.equal(new Set([...both, ...webhookSecrets(NEW, 'https://b.example/hook').map(formatWebhookSecret)]).size, 3)
  assert.deepEqual(webhookSecrets(NEW, 'https://a.example/hook').map(formatWebhookSecret), both.slice(0, 1))
  assert.match(both[0] ?? '', /^whsec_[A-Za-z0-9+/]{43}=$/)
})

test('alertSecrets() derives one for each salt, budget and server secret; without a salt, those of the URL', () => {
  const of = (fields: object): readonly string[] =>
    alertSecrets([NEW, OLD], { url: 'https://a.example/hook', budgetId: 'b1', salts: ['0a', '0b'], ...fields }).map(formatWebhookSecret)
  assert.equal(new Set([...of({}), ...of({ budgetId: 'b2' }), ...of({ salts: ['0c'] })]).size, 10)
  assert.deepEqual(of({ url: 'https://b.example/' }), of({}))
  assert.deepEqual(of({ salts: [] }), webhookSecrets([NEW, OLD], 'https://a.example/hook').map(formatWebhookSecret))
})

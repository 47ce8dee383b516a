import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InputError } from '@ascribe/kit'
import { mayView, parseViewerRules, policyOf, viewerRole } from './viewer-policy.ts'

const A = '9e8b1bc8-fa08-4870-a21f-22ac01cc3808'
const B = '9df348f3-6fb1-44a5-9ab0-2a2fe147a683'
const CHILD = '01d730c7-5a61-4d7a-9f3c-63ed01f34ebf'

test('policyOf() gives --viewer-role everything, and who has no rule nothing', () => {
  const rules = [viewerRole('billing-viewer'), viewerRole('support')]
  const policy = policyOf(rules, ['support'])
  assert.ok(policy !== undefined && mayView(policy, A, []) && policy.maySearch && policy.mayActImplied)
  assert.equal(policyOf(rules, ['access']), undefined)
  assert.equal(policyOf(rules, []), undefined)
})

test('mayView() keeps to the listed organizations and what stands below named ones', () => {
  const rules = parseViewerRules([
    { roles: ['emea'], organizations: { ids: [A.toUpperCase()], childrenOf: [B] }, search: false, impliedActing: false },
  ])
  const policy = policyOf(rules, ['emea'])
  assert.ok(policy !== undefined)
  assert.ok(mayView(policy, A, []))
  assert.ok(mayView(policy, CHILD, [B]))
  assert.ok(mayView(policy, CHILD, ['00000000-0000-0000-0000-000000000000', B]))
  // The parent itself is not below itself.
  assert.equal(mayView(policy, B, []), false)
  // A list of ids says nothing of their children.
  assert.equal(mayView(policy, CHILD, [A]), false)
  assert.equal(policy.maySearch || policy.mayActImplied, false)
})

test('policyOf() adds up all rules of an operator', () => {
  const rules = parseViewerRules([
    { roles: ['a'], organizations: { ids: [A] }, search: false, impliedActing: false },
    { roles: ['b', 'c'], organizations: { ids: [B] }, impliedActing: false },
  ])
  const policy = policyOf(rules, ['a', 'c'])
  assert.ok(policy !== undefined && mayView(policy, A, []) && mayView(policy, B, []) && policy.maySearch && !policy.mayActImplied)
})

test('parseViewerRules() refuses what it does not know, and says where', () => {
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [undefined, /viewers is not a list/],
    [[], /viewers is not a list/],
    [['billing-viewer'], /viewers\[0\]/],
    [[{ organizations: 'all' }], /viewers\[0\]\.roles/],
    [[{ roles: [], organizations: 'all' }], /viewers\[0\]\.roles/],
    [[{ roles: [''], organizations: 'all' }], /viewers\[0\]\.roles/],
    [[{ roles: ['a'] }], /viewers\[0\]\.organizations/],
    [[{ roles: ['a'], organizations: 'some' }], /viewers\[0\]\.organizations/],
    [[{ roles: ['a'], organizations: {} }], /names no organization/],
    [[{ roles: ['a'], organizations: { ids: ['acme'] } }], /organizations\.ids/],
    [[{ roles: ['a'], organizations: { childOf: [A] } }], /organizations\.childOf is not known/],
    [[{ roles: ['a'], organizations: 'all', serach: false }], /viewers\[0\]\.serach is not known/],
    [[{ roles: ['a'], organizations: 'all', search: 'no' }], /viewers\[0\]\.search/],
  ]
  for (const [value, message] of wrong)
    assert.throws(
      () => parseViewerRules(value),
      (error) => error instanceof InputError && message.test(error.message),
      JSON.stringify(value),
    )
})

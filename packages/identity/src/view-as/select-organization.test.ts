import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ORGANIZATION_SOURCES, selectOrganization } from './select-organization.ts'
import type { Selection } from './select-organization.ts'

const A = '9e8b1bc8-fa08-4870-a21f-22ac01cc3808'
const B = '9df348f3-6fb1-44a5-9ab0-2a2fe147a683'
const HEADER = 'X-Materialize-Organization-Id'
const vendor = (id: string): string => `application/vnd.ascribe+json;org=${id}`
const select = (...rawHeaders: string[]): Selection => selectOrganization(rawHeaders, { organizationFrom: ORGANIZATION_SOURCES })
const outcome = (selection: Selection): string =>
  selection.kind === 'one' ? selection.organizationId : selection.kind === 'none' ? 'none' : selection.reason

test('R15: selectOrganization() reads each of the three ways', () => {
  assert.deepEqual(select('Accept', A), { kind: 'one', organizationId: A, from: ['accept'] })
  assert.deepEqual(select('accept', vendor(A)), { kind: 'one', organizationId: A, from: ['vendor'] })
  assert.deepEqual(select(HEADER, A), { kind: 'one', organizationId: A, from: ['header'] })
  assert.deepEqual(select('Accept', A, HEADER.toLowerCase(), A), { kind: 'one', organizationId: A, from: ['accept', 'header'] })
})

test('R15: selectOrganization() takes the same id in other letters and the forms that RFC 9110 calls equal', () => {
  for (const accept of [
    A.toUpperCase(),
    ` ${A}\t`,
    `Application/VND.Ascribe+JSON;ORG=${A}`,
    `application/vnd.ascribe+json ; org=${A.toUpperCase()}`,
    `application/vnd.ascribe+json;\torg="${A}"`,
  ])
    assert.equal(outcome(select('Accept', accept)), A, accept)
})

test('selectOrganization() finds none where none is meant', () => {
  for (const accept of ['*/*', 'application/json', 'text/html,application/xhtml+xml,*/*;q=0.8', '', 'application/vnd.ascribe+json'])
    assert.equal(outcome(select('Accept', accept)), 'none', accept)
  assert.equal(outcome(select()), 'none')
  assert.equal(outcome(select('Accept', '*/*', 'Accept', 'text/html')), 'none')
  assert.equal(outcome(select('X_Materialize_Organization_Id', A)), 'none')
})

test('R15: selectOrganization() refuses two ways that disagree, in every pair', () => {
  assert.equal(outcome(select('Accept', A, HEADER, B)), 'disagreement')
  assert.equal(outcome(select('Accept', vendor(A), HEADER, B)), 'disagreement')
  assert.equal(outcome(select(HEADER, B, 'Accept', A)), 'disagreement')
})

test('R15: selectOrganization() refuses an organization that its origin or target does not stand for', () => {
  for (const where of ['origin', 'target'] as const) {
    const options = { organizationFrom: ORGANIZATION_SOURCES, encoded: [{ where, organizationId: B }] }
    assert.equal(outcome(selectOrganization(['Accept', A], options)), 'disagreement')
    assert.equal(outcome(selectOrganization(['Accept', B], options)), B)
    // The page does not choose: it may only agree.
    assert.equal(outcome(selectOrganization([], options)), 'none')
  }
})

test('R15: selectOrganization() refuses a header that comes twice, also when both say the same', () => {
  assert.equal(outcome(select('Accept', A, 'ACCEPT', A)), 'repeated')
  assert.equal(outcome(select('Accept', A, 'accept', '*/*')), 'repeated')
  assert.equal(outcome(select('Accept', '*/*', 'accept', vendor(A))), 'repeated')
  assert.equal(outcome(select(HEADER, A, HEADER, A)), 'repeated')
  assert.equal(outcome(select(HEADER, A, HEADER, '')), 'repeated')
})

test('R15: selectOrganization() refuses every trick with the media range, and never passes one over', () => {
  const tricks = [
    `${A},${B}`,
    `${A}, ${A}`,
    `${A},`,
    `${A}, */*`,
    `*/*, ${A}`,
    `${A};q=1`,
    `"${A}"`,
    `{${A}}`,
    `urn:uuid:${A}`,
    A.replaceAll('-', ''),
    `${A}/*`,
    `\u00a0${A}`,
    `${A}\u0000`,
    `${vendor(A)};q=0.5`,
    `${vendor(A)};org=${B}`,
    `${vendor(A)}, ${vendor(B)}`,
    `${vendor(A)}, application/json`,
    `application/json;org=${A}`,
    `application/vnd.ascribe+json;org=`,
    `application/vnd.ascribe+json;org=*`,
    `application/vnd.ascribe+json;org='${A}'`,
    `application/vnd.ascribe+json;org="${A}`,
    `application/vnd.ascribe+json;org=${A}x`,
    `application/vnd.ascribe+json;org = ${A}`,
    `application/vnd.ascribe+json;organization=${A}`,
    `application/vnd.ascribe+json;charset=utf-8;org=${A}`,
    `application/vnd.ascribe+xml;org=${A}`,
    `application/vnd.ascribe.v2+json;org=${A}`,
    `application/vnd.ascribe+json;org="\\${A}"`,
    `text/html, application/vnd.ascribe+json`,
    `${' '.repeat(600)}${A}`,
  ]
  for (const accept of tricks) assert.equal(outcome(select('Accept', accept)), 'malformed', accept)
  for (const value of [`${A},${B}`, `${A},`, '', `"${A}"`, `${A} ${A}`, `\u00a0${A}`, '*', A.slice(1), `${A}\u00e9`])
    assert.equal(outcome(select(HEADER, value)), 'malformed', value)
})

test('selectOrganization() refuses a way that is switched off, also beside one that is on', () => {
  const off = (from: readonly ('accept' | 'vendor' | 'header')[], ...raw: string[]): string =>
    outcome(selectOrganization(raw, { organizationFrom: from }))
  assert.equal(off(['vendor', 'header'], 'Accept', A), 'disabled')
  assert.equal(off(['accept', 'header'], 'Accept', vendor(A)), 'disabled')
  assert.equal(off(['accept', 'vendor'], 'Accept', A, HEADER, A), 'disabled')
  assert.equal(off(['accept'], 'Accept', A), A)
})

test('selectOrganization() gives an organization only as it was written, whatever the headers are', () => {
  const piece = fc.constantFrom(A, B, A.toUpperCase(), ',', ';', ' ', '"', 'org=', 'application/vnd.ascribe+json', '*/*', 'q=1', '\t')
  const value = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(''))
  const header = fc.tuple(fc.constantFrom('Accept', 'accept', HEADER), value)
  fc.assert(
    fc.property(fc.array(header, { maxLength: 3 }), (headers) => {
      const text = headers.flat().join(' ').toLowerCase()
      const selected = select(...headers.flat())
      if (selected.kind === 'one') {
        // Nobody else is named anywhere in it.
        assert.ok(text.includes(selected.organizationId))
        assert.ok(!text.includes(selected.organizationId === A ? B : A))
      }
      // What names somebody is never taken for naming nobody.
      if (selected.kind === 'none') assert.ok(!text.includes(A) && !text.includes(B))
    }),
    { numRuns: 1000 },
  )
})

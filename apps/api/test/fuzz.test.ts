import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ApiErrorSchema, LISTENERS, openApiDocument } from '@ascribe/contract'
import type { Listener } from '@ascribe/contract'
import fc from 'fast-check'
import { NOBODY, OLGA, assertUncached, openOperators, send } from './operators-support.ts'
import type { Answer } from './operators-support.ts'
import { createCustomer, settle, usageRecord } from './support.ts'
import type { Customer } from './support.ts'

// From the document alone, as a stranger would: whatever is sent, no answer is the fault of the server, and each is one that the document names.

type Schema = {
  readonly type?: string
  readonly format?: string
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly $ref?: string
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
}
type Operation = {
  readonly operationId: string
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly schema: Schema }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
  readonly responses: Readonly<Record<string, unknown>>
}

const operators = await openOperators()
after(() => operators[Symbol.asyncDispose]())
let acme: Customer

before(async () => {
  acme = await createCustomer(operators.db, 'Acme')
  await settle(operators.db, [usageRecord({ authId: acme.billing.authId })])
  assert.equal((await operators.begin(OLGA, acme.id)).status, 201)
})

const ODD = [
  '',
  ' ',
  '0',
  '-1',
  '1e9',
  '99999999999999999999',
  'null',
  'true',
  '2026-02-30',
  '2026-13',
  '2026-03',
  '2026-03-01',
  '9999-12-31',
  '\u0000',
  "'; drop table charge; --",
  '%',
  '../..',
  '{}',
  '[]',
  'é',
  '🦊',
  '\uFEFF',
  'a'.repeat(3000),
]
const anyText = fc.oneof(
  fc.constantFrom(...ODD),
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 20 }).filter((text) => text.isWellFormed()),
  fc.uuid(),
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
)
const anyJson = fc.oneof(
  fc.json({ maxDepth: 3 }).map((text) => JSON.parse(text) as unknown),
  anyText,
  fc.constant(undefined),
)

/** Mostly what the schema asks for, now and then not. */
function valueOf(schema: Schema): fc.Arbitrary<unknown> {
  const fitting = (): fc.Arbitrary<unknown> => {
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
    if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(valueOf))
    switch (schema.type) {
      case 'integer':
        return fc.integer({ min: -5, max: 2000 })
      case 'number':
        return fc.double()
      case 'boolean':
        return fc.boolean()
      case 'array':
        return fc.array(valueOf(schema.items ?? {}), { maxLength: 4 })
      case 'object': {
        const { properties = {}, required = [] } = schema
        return fc.record(Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, valueOf(each)])), {
          requiredKeys: required.filter((name) => name in properties),
        })
      }
      default:
        if (schema.format === 'uuid') return fc.oneof(fc.constant(acme.id), fc.constant(NOBODY), fc.uuid())
        if (schema.format === 'date-time')
          return fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') }).map((date) => date.toISOString())
        return anyText
    }
  }
  return fc.oneof({ weight: 4, arbitrary: fitting() }, { weight: 1, arbitrary: anyJson })
}

/** With several ways in: of a key, and of a user who may change things. */
async function credentials(listener: Listener): Promise<readonly (readonly string[])[]> {
  if (listener === 'internal') return [[...(await operators.as(OLGA)), 'origin', 'https://console.example.com', 'accept', acme.id]]
  if (listener === 'admin') return [['authorization', `Bearer ${operators.adminKey}`]]
  operators.issuer.setOrganizations('ada', [acme.id])
  return [acme.billing.key, operators.issuer.userToken('ada')].map((token) => ['authorization', `Bearer ${token}`])
}

/** What takes a simulated customer's data away, or breaks the trail on purpose. */
const LEFT_OUT = new Set(['setFaults', 'redirect', 'endOrganization'])

for (const listener of LISTENERS) {
  test(`no input from the document of the ${listener} listener gets a 5xx, an answer that it does not name, or one for a cache`, async () => {
    const url = { public: operators.api, internal: operators.internal, admin: operators.admin }[listener]
    const { paths } = openApiDocument(listener) as { paths: Record<string, Record<string, Operation>> }
    const ways = await credentials(listener)
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (LEFT_OUT.has(operation.operationId)) continue
        await fc.assert(
          fc.asyncProperty(requestOf(path, operation), fc.constantFrom(...ways), async ({ target, body, type }, who) => {
            const content = type === undefined ? [] : ['content-type', type]
            const answer = await send(url + target, {
              method: method.toUpperCase(),
              headers: [...who, ...content],
              ...(body !== undefined && { body }),
            })
            assertAnswer(operation, answer, `${method} ${target} ${body ?? ''}`)
          }),
          { numRuns: 6, endOnFailure: true },
        )
      }
    }
  })
}

type Made = { readonly target: string; readonly body: string | undefined; readonly type: string | undefined }

function requestOf(path: string, { parameters, requestBody }: Operation): fc.Arbitrary<Made> {
  const places = parameters.filter((parameter) => parameter.in === 'path')
  const query = parameters.filter((parameter) => parameter.in === 'query')
  const segments = fc.record(
    Object.fromEntries(
      places.map(({ name, schema }) => [
        name,
        fc.oneof(
          { weight: 6, arbitrary: name === 'id' ? fc.constant(acme.id) : valueOf(schema).map(textOf) },
          { weight: 1, arbitrary: anyText },
        ),
      ]),
    ),
  )
  const asked = fc.record(
    Object.fromEntries([
      ...query.map(({ name, schema }) => [name, fc.oneof(valueOf(schema), fc.array(anyText, { maxLength: 2 }))] as const),
      ['unknown', fc.constant(undefined)] as const,
    ]),
    { requiredKeys: [] },
  )
  const [[type, content] = []] = Object.entries(requestBody?.content ?? {})
  const body =
    content === undefined
      ? fc.constant(undefined)
      : fc.oneof({ weight: 5, arbitrary: valueOf(content.schema) }, { weight: 1, arbitrary: anyJson })
  return fc.record({ segments, asked, body }).map((made) => ({
    target: targetOf(path, made.segments, made.asked),
    body: type === undefined ? undefined : type.includes('urlencoded') ? formOf(made.body) : (JSON.stringify(made.body) ?? ''),
    type,
  }))
}

function targetOf(path: string, segments: Readonly<Record<string, string>>, asked: Readonly<Record<string, unknown>>): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(segments[name] ?? '').slice(0, 2000))
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(asked))
    for (const each of [value].flat()) if (each !== undefined) search.append(name, textOf(each).slice(0, 2000))
  return search.size === 0 ? filled : `${filled}?${search.toString()}`
}

/** `String()` throws for what has no prototype. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

function formOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return textOf(value)
  return new URLSearchParams(Object.entries(value).map(([name, each]): [string, string] => [name, textOf(each)])).toString()
}

function assertAnswer({ responses, operationId }: Operation, answer: Answer, what: string): void {
  const { status, text } = answer
  assert.ok(status < 500, `${operationId}: ${status} ${text}\n${what}`)
  // An empty or dotted segment is another address, which there is not, or takes another method.
  const isElsewhere = status === 404 || status === 405
  assert.ok(isElsewhere || String(status) in responses, `${operationId}: ${status} is not in the document: ${text}\n${what}`)
  assertUncached(answer)
  if (status >= 400) assert.ok(ApiErrorSchema.safeParse(JSON.parse(text)).success, `${text}\n${what}`)
}

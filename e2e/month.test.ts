import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openJournalWriter } from '@ascribe/journal'
import { silentLogger } from '@ascribe/kit'
import { createOrganization, ledgerMigrations, mapAuthId } from '@ascribe/ledger'
import { createLineReader, findInvoice, grantCredit, listCredits, listInvoices, readInvoiceContent } from '@ascribe/ledger/money'
import type { InvoiceContent } from '@ascribe/ledger/money'
import { testDatabase } from '@ascribe/postgres/testing'
import type { TestDatabase } from '@ascribe/postgres/testing'
import { tryLock } from '@ascribe/service'
import { createIdSource, monthOf } from '@ascribe/units'
import { nano } from './support/nano.ts'
import { run } from './support/process.ts'
import type { Finished } from './support/process.ts'
import { temporaryDir } from './support/product.ts'

// A month of a hundred organizations, as three gateways have written it into their journals: shipped, rated, closed, invoiced, followed
// down to every request, and exported. Everything that the operator does is done by the command; what should come of it is computed
// here, by other code.

const ORGANIZATIONS = 100
/** Of each organization. */
const REQUESTS = 20
const GATEWAYS = 3
const HOUR_MS = 3_600_000
/** Invoices that are followed at once: on a busy machine it is waiting that takes long. */
const AT_ONCE = 5

/** The month before this one: over, and its records can be of no other. */
const MONTH = new Date(new Date().setUTCDate(0)).toISOString().slice(0, 7)
const PERIOD = monthOf(MONTH) ?? { start: 0, end: 0 }

const PRICES = `version: 1
currency: USD
base_models:
  plain: { prompt: "0.0000012345", cached: "0.0000001", completion: "0.000005" }
  tiered:
    prompt: "0"
    cached: "0"
    completion: { mode: graduated, tiers: [{ up_to: 1000, price: "0.002" }, { price: "0.001" }] }
    meters: { images: { package: 10, price: "0.25", included: 3 } }
minimums:
  - { amount: "2.5" }
`

type Request = {
  readonly eventId: string
  readonly organization: number
  readonly authId: string
  readonly at: number
  readonly model: string
  readonly meters: Readonly<Record<string, number>>
}

const dir = temporaryDir()
const requests: Request[] = []
const ids: string[] = []
let db: TestDatabase

const ascribe = (...args: readonly string[]): Promise<Finished> => run([...args, '--data', dir.path], { env: { DATABASE_URL: db.url } })
async function done<Answer>(...args: readonly string[]): Promise<Answer> {
  const { code, stdout, stderr } = await ascribe(...args, '--json')
  assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
  return JSON.parse(stdout) as Answer
}

before(async () => {
  db = await testDatabase({ migrations: await ledgerMigrations() })
  for (let index = 0; index < ORGANIZATIONS; index += 1) {
    const { id } = await createOrganization(db, { name: `Customer ${String(index).padStart(3, '0')}` })
    ids.push(id)
    for (const key of index % 10 === 0 ? ['a', 'b'] : ['a']) await mapAuthId(db, { authId: `key-${index}-${key}`, organizationId: id })
  }
  makeRequests()
  for (let gateway = 0; gateway < GATEWAYS; gateway += 1) await writeJournal(requests.filter((_, index) => index % GATEWAYS === gateway))
  writeFileSync(join(dir.path, 'prices.yaml'), PRICES)
})
after(async () => {
  await db[Symbol.asyncDispose]()
  dir[Symbol.dispose]()
})

/** The same requests in every run: a small generator with a seed. */
function makeRequests(): void {
  let seed = 20_261_122
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  for (let organization = 0; organization < ORGANIZATIONS; organization += 1) {
    for (let index = 0; index < REQUESTS; index += 1) {
      // In a few hours, which differ from one organization to the next; one of them is the last of the month.
      const hour = index % 5 === 0 ? PERIOD.end - HOUR_MS : PERIOD.start + ((organization * 7 + (index % 2) * 50) % 600) * HOUR_MS
      const at = hour + random(HOUR_MS)
      const tiered = index % 3 === 0
      requests.push({
        eventId: createIdSource(() => at)(),
        organization,
        authId: `key-${organization}-${organization % 10 === 0 && index % 2 === 0 ? 'b' : 'a'}`,
        at,
        model: tiered ? 'tiered' : 'plain',
        meters: tiered
          ? { output_tokens: 1 + random(400), images: 1 + random(3) }
          : { input_tokens: 1 + random(50_000), cached_input_tokens: 1 + random(900), output_tokens: 1 + random(9000) },
      })
    }
  }
}

/** What a gateway leaves: an intent and a settlement for each request, durable. */
async function writeJournal(own: readonly Request[]): Promise<void> {
  await using journal = await openJournalWriter({ root: join(dir.path, 'journal'), tryLock, clock: Date.now, logger: silentLogger })
  await Promise.all(
    own.map(async ({ eventId, authId, at, model, meters }) => {
      const intent = {
        eventId,
        startedAt: at,
        requestId: eventId,
        authId,
        resourceId: 'default',
        identifiedBy: 'headers',
        route: 'default',
        api: 'chat',
        modelAsked: model,
        streamed: false,
      }
      const settlement = {
        endedAt: at + 900,
        outcome: 'completed',
        provenance: 'reported',
        status: 200,
        model,
        finishReason: 'stop',
        promptTokens: 0,
        cachedTokens: 0,
        completionTokens: 0,
        meters,
      }
      await journal.intend(eventId, JSON.stringify(intent))
      await journal.settle(eventId, JSON.stringify({ ...intent, ...settlement }))
    }),
  )
}

const RATES: Readonly<Record<string, bigint>> = {
  input_tokens: 1_234_500_000_000n,
  cached_input_tokens: 100_000_000_000n,
  output_tokens: 5_000_000_000_000n,
}

/** What a month comes to: every hour, key and meter rounded once; tiers and packages by the total. In nano-units. */
function expected(organization: number): bigint {
  const own = requests.filter((request) => request.organization === organization)
  const plain = Map.groupBy(
    own
      .filter(({ model }) => model === 'plain')
      .flatMap(({ at, authId, meters }) =>
        Object.entries(meters).map(([meter, quantity]) => ({ key: `${Math.floor(at / HOUR_MS)} ${authId} ${meter}`, meter, quantity })),
      ),
    ({ key }) => key,
  )
  let total = 0n
  for (const group of plain.values()) {
    const quantity = group.reduce((sum, each) => sum + BigInt(each.quantity), 0n)
    // Rates are in 10^-18, amounts in 10^-9; half goes up.
    total += (quantity * (RATES[group[0]?.meter ?? ''] ?? 0n) + 500_000_000n) / 1_000_000_000n
  }
  const sum = (meter: string): bigint =>
    own.reduce((all, { model, meters }) => (model === 'tiered' ? all + BigInt(meters[meter] ?? 0) : all), 0n)
  const [tokens, images] = [sum('output_tokens'), sum('images')]
  const first = tokens < 1000n ? tokens : 1000n
  total += first * 2_000_000n + (tokens - first) * 1_000_000n
  const blocks = images > 3n ? (images - 3n + 9n) / 10n : 0n
  total += blocks * 250_000_000n
  return total < 2_500_000_000n ? 2_500_000_000n : total
}

const EXPORT = ['export', 'charges', '--all', '--from', `${MONTH}-01`, '--to', new Date(PERIOD.end).toISOString().slice(0, 10)]

/** The sum of a column of a CSV file without quotes in it, by currency-free decimals; and its rows by organization. */
function sumColumn(file: string, column: string): bigint {
  const [header = '', ...lines] = readFileSync(file, 'utf8').trim().split('\r\n')
  const at = cellsOf(header).indexOf(column)
  return lines.reduce((sum, line) => sum + signed(cellsOf(line)[at] ?? ''), 0n)
}

function cellsOf(line: string): readonly string[] {
  return Array.from(line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g), ([, quoted, plain]) => quoted ?? plain ?? '')
}

const signed = (text: string): bigint => (text.startsWith('-') ? 0n - nano(text.slice(1)) : nano(text))

test('a month of a hundred organizations becomes invoices, every line of which leads to its requests; nothing is lost', async () => {
  await done('prices', 'apply', join(dir.path, 'prices.yaml'), '--effective-from', '2020-01-01')
  for (const index of [0, 1, 2]) {
    await grantCredit(db, { organizationId: ids[index] ?? '', amount: nano('1.5'), kind: 'trial', effectiveFrom: 0, by: 'e2e' })
  }
  await done('invoices', 'tax', 'add', '--name', 'VAT', '--rate', '19', '--from', '2020-01-01')
  await done('rate')
  assert.equal(Number((await db.query<{ n: bigint }>('select count(*) as n from usage_record')).rows[0]?.n), requests.length)
  await done('periods', 'close', '--month', MONTH)

  const issued = await done<readonly { outcome: string; number: string }[]>('invoices', 'issue', '--month', MONTH, '--all')
  assert.deepEqual(
    issued.map(({ outcome, number }) => [outcome, number]),
    ids.map((_, index) => ['issued', `INV-${String(index + 1).padStart(6, '0')}`]),
  )
  const again = await done<readonly { outcome: string }[]>('invoices', 'issue', '--month', MONTH, '--all')
  assert.ok(again.every(({ outcome }) => outcome === 'exists'))

  const seen = new Set<string>()
  const follow = await createLineReader(db)
  const followInvoice = async (organizationId: string, index: number): Promise<void> => {
    const [invoice] = await listInvoices(db, { organizationId })
    const content = await readInvoiceContent(db, invoice?.id ?? '')
    assert.ok(invoice !== undefined && content !== undefined)
    assert.equal(invoice.subtotal, expected(index), `${content.customer.name}: ${JSON.stringify(content.lines)}`)
    assert.equal(invoice.subtotal + invoice.credits + invoice.tax + invoice.rounding, invoice.total)
    await followLines(content, { follow, organization: index, seen })
  }
  for (let start = 0; start < ids.length; start += AT_ONCE) {
    await Promise.all(ids.slice(start, start + AT_ONCE).map((id, index) => followInvoice(id, start + index)))
  }
  assert.equal(seen.size, requests.length)
  assert.ok(requests.every(({ eventId }) => seen.has(eventId)))
})

type Following = {
  readonly follow: Awaited<ReturnType<typeof createLineReader>>
  readonly organization: number
  readonly seen: Set<string>
}

/** Every line leads to requests of this organization, which have its meter and, on lines of keys, add up to its quantity. */
async function followLines(content: InvoiceContent, { follow, organization, seen }: Following): Promise<void> {
  for (const line of content.lines) {
    const stream = follow({ content, line: line.line })
    let [next, quantity] = [await stream.next(), 0]
    for (; next.done !== true; next = await stream.next()) {
      const { eventId, authId, meters } = next.value.record
      assert.ok(authId.startsWith(`key-${organization}-`))
      quantity += meters[line.meter] ?? 0
      if (line.kind !== 'minimum') seen.add(eventId)
    }
    assert.equal(next.value?.kind, line.kind === 'minimum' ? 'context' : 'exact', JSON.stringify(line))
    if (line.auth_id !== '') assert.equal(quantity, Number(line.quantity))
  }
}

test('exports of the month sum to its statements and invoices, in CSV and in FOCUS', async () => {
  const invoices = await listInvoices(db, { month: MONTH, limit: 1000 })
  const [subtotals, totals] = [
    invoices.reduce((sum, { subtotal }) => sum + subtotal, 0n),
    invoices.reduce((sum, { total }) => sum + total, 0n),
  ]
  const file = (name: string): string => join(dir.path, name)
  const exports: readonly (readonly [string, readonly string[]])[] = [
    ['charges.csv', []],
    ['invoiced.csv', ['--invoiced']],
    ['focus.csv', ['--format', 'focus', '--invoiced']],
    ['open.csv', ['--format', 'focus']],
  ]
  for (const [name, options] of exports) {
    const { code, stderr } = await ascribe(...EXPORT, ...options, '--output', file(name))
    assert.equal(code, 0, stderr)
  }
  assert.equal(sumColumn(file('charges.csv'), 'amount'), subtotals)
  assert.equal(sumColumn(file('invoiced.csv'), 'amount'), totals)
  assert.equal(sumColumn(file('focus.csv'), 'BilledCost'), totals)
  assert.equal(readFileSync(file('open.csv'), 'utf8').trim().split('\r\n').length, 1)
  const { stdout } = await ascribe(...EXPORT, '--format', 'events')
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { event_id: string }).event_id)
  assert.deepEqual(new Set(events), new Set(requests.map(({ eventId }) => eventId)))
})

test('an invoice can be read, printed, paid, credited, and voided by its number', async () => {
  const shown = await done<{ content: InvoiceContent; state: string; total: string }>('invoices', 'show', 'INV-000050')
  assert.equal(shown.state, 'issued')
  assert.match((await ascribe('invoices', 'html', 'INV-000050')).stdout, /<h1>Invoice INV-000050<\/h1>[\s\S]*Customer 049/)
  const records = await ascribe('invoices', 'records', 'INV-000050', '--line', '1')
  assert.match(records.stderr, /the very ones that were charged/)
  assert.ok(records.stdout.trim().split('\n').length > 0 && records.code === 0)
  assert.equal((await ascribe('invoices', 'pay', 'INV-000050', '--reference', 'wire')).code, 0)
  assert.equal((await ascribe('invoices', 'void', 'INV-000050', '--reason', 'x')).code, 1)
  const note = await done<{ number: string; total: string }>('invoices', 'credit-note', 'INV-000050', '--all', '--reason', 'goodwill')
  assert.deepEqual([note.number, note.total], ['CN-000001', shown.total])
  const voided = await findInvoice(db, 'INV-000001')
  const before = await done<readonly { balance: string }[]>('credits', 'list', '--org', voided?.organizationId ?? '')
  assert.equal((await ascribe('invoices', 'void', 'INV-000001', '--reason', 'wrong address')).code, 0)
  const [back] = await listCredits(db, { organizationId: voided?.organizationId ?? '', at: Date.now() })
  assert.deepEqual([before[0]?.balance, back?.balance], ['0', nano('1.5')])
})

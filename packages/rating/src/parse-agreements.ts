import { isScalar } from 'yaml'
import { monthOf } from '@ascribe/units'
import type { Agreement } from './agreements.ts'
import { present, readAmount } from './parse-decimals.ts'
import { readOrganizationId } from './parse-organization.ts'
import type { OrganizationCheck } from './parse-organization.ts'
import type { Entry, Value, YamlReader } from './yaml-reader.ts'

type ReadAgreements = { readonly kind: 'minimum' | 'commitment'; readonly check: OrganizationCheck }

/** Reads a list of minimums or commitments. A commitment names its organization and its term; no two of one organization overlap. */
export function readAgreements(reader: YamlReader, section: Entry | undefined, options: ReadAgreements): readonly Agreement[] {
  const read: { readonly item: Value; readonly agreement: Agreement }[] = []
  for (const item of (section && reader.items(section)) ?? []) {
    const agreement = readAgreement(reader, item, options)
    if (agreement === undefined) continue
    const other = read.find((each) => overlap(each.agreement, agreement))
    if (other !== undefined) {
      const line = reader.lineOf(other.item.place)
      reader.report(
        item.place,
        `${item.path} overlaps with the one on line ${line}`,
        'end one of them before the other: its `to` is not included',
      )
    }
    read.push({ item, agreement })
  }
  return read.map(({ agreement }) => agreement)
}

function readAgreement(reader: YamlReader, item: Value, { kind, check }: ReadAgreements): Agreement | undefined {
  const fields = reader.entries(item, ['organization', 'amount', 'from', 'to'])
  if (fields === undefined) return undefined
  const [organization, amountEntry] = [present(fields.get('organization')), present(fields.get('amount'))]
  const id = organization && readOrganizationId(reader, { text: textOf(organization), place: organization.place }, check)
  const [from, to] = [readMonth(reader, present(fields.get('from'))), readMonth(reader, present(fields.get('to')))]
  if (kind === 'commitment') {
    for (const key of ['organization', 'from', 'to'] as const) {
      if (present(fields.get(key)) === undefined)
        reader.report(item.place, `${item.path} has no ${key}`, `add ${key}: a commitment is one organization's, from a month to a month`)
    }
  }
  if (from !== undefined && to !== undefined && from >= to) {
    reader.report(item.place, `${item.path} ends before it begins`, 'write a later month as `to`: it is not included')
  }
  if (amountEntry === undefined) {
    reader.report(item.place, `${item.path} has no amount`, 'add amount: with a decimal in quotes')
    return undefined
  }
  const amount = readAmount(reader, amountEntry)
  if (amount === undefined) return undefined
  return { amount, ...(id !== undefined && { organizationId: id }), ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
}

function readMonth(reader: YamlReader, entry: Entry | undefined): string | undefined {
  if (entry === undefined) return undefined
  const text = textOf(entry)
  if (typeof text === 'string' && monthOf(text) !== undefined) return text
  reader.report(entry.place, `${entry.path} ${JSON.stringify(text ?? null)} is no month`, 'write it as "2026-11"')
  return undefined
}

function textOf(value: Value): unknown {
  return isScalar(value.node) ? value.node.value : undefined
}

function overlap(a: Agreement, b: Agreement): boolean {
  if (a.organizationId !== b.organizationId) return false
  return (a.to === undefined || b.from === undefined || b.from < a.to) && (b.to === undefined || a.from === undefined || a.from < b.to)
}

import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import { InputError } from '@ascribe/kit'
import type { InvoiceSummary } from '@ascribe/ledger/money'
import { findInvoice } from '@ascribe/ledger/money'
import type { Database } from '@ascribe/postgres'
import { parseNano } from '@ascribe/units'
import type { Nano } from '@ascribe/units'
import { operatorOf } from './operator.ts'
import type { Surroundings } from './surroundings.ts'

/** An amount of money that is not negative. @throws {InvalidArgumentError} */
export function amountArgument(text: string): Nano {
  const amount = parseNano(text)
  if (typeof amount !== 'bigint' || amount < 0n)
    throw new InvalidArgumentError('Write an amount as a decimal with at most nine places, such as 100 or 12.50.')
  return amount
}

/** A day of the calendar. @throws {InvalidArgumentError} */
export function dayArgument(text: string): string {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  if (Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== text)
    throw new InvalidArgumentError('Write a day as YYYY-MM-DD, for example 2026-11-01.')
  return text
}

/** Everything that changes money says who did it. */
export function withActor(command: Command): Command {
  return command.addOption(new Option('--actor <name>', 'who does this (default: the user of the operating system)'))
}

export function actorOf(options: { readonly actor?: string }, surroundings: Surroundings): string {
  return options.actor ?? operatorOf(surroundings)
}

/** The invoice that a person means by its number or id. @throws {InputError} */
export async function invoiceNamed(db: Database, numberOrId: string): Promise<InvoiceSummary> {
  const found = await findInvoice(db, numberOrId)
  if (found === undefined) {
    throw new InputError(`Cannot find the invoice "${numberOrId}"`, { hint: '`ascribe invoices list` shows numbers, and ids of drafts.' })
  }
  return found
}

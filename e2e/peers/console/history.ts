import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Product } from '../../support/product.ts'

/** The month before this one, `2026-10`: it is over, and may be invoiced. */
export const LAST_MONTH: string = new Date(new Date().setUTCDate(0)).toISOString().slice(0, 7)

/** A model that the sandbox's price list has. */
const MODELS = ['sandbox-small', 'sandbox-large'] as const
const DAY_MS = 86_400_000

/**
 * Two months of usage of the demo organization's key, an invoice of the one before this, with tax and with a credit that pays a part of it. `dir`: for
 * the file that is imported.
 */
export async function seedHistory(product: Product, dir: string): Promise<{ readonly number: string }> {
  const { auth_id: authId, organization } = product.ready
  const today = Math.floor(Date.now() / DAY_MS)
  // From the first of last month: of what is before it nothing is open, or that month could not be closed.
  const days = today - Date.parse(`${LAST_MONTH}-01`) / DAY_MS + 1
  const lines = Array.from({ length: days }, (_, back) => back).flatMap((back) =>
    MODELS.map((model, index) =>
      JSON.stringify({
        request_id: `history-${back}-${index}`,
        auth_id: authId,
        resource_id: 'deployment-1',
        model,
        prompt_tokens: 400_000 + back * 1000 + index,
        cached_tokens: 0,
        completion_tokens: 90_000 + back * 500,
        timestamp_unix_ms: (today - back) * DAY_MS + 60_000,
      }),
    ),
  )
  const file = join(dir, 'history.ndjson')
  writeFileSync(file, `${lines.join('\n')}\n`)
  await product.cli('events', 'backfill', file, '--id', 'history', '--reason', 'a history to look at', '--actor', 'test')
  await product.cli('invoices', 'tax', 'add', '--name', 'VAT', '--rate', '19', '--from', '2020-01-01')
  await product.cli(
    'credits',
    'grant',
    '--org',
    organization.id,
    '--amount',
    '5',
    '--kind',
    'promotional',
    '--note',
    'Welcome',
    '--from',
    `${LAST_MONTH}-01T00:00:00Z`,
  )
  await product.cli('periods', 'close', '--month', LAST_MONTH)
  const issued = await product.cli<readonly { readonly number: string }[]>('invoices', 'issue', '--month', LAST_MONTH, '--all')
  const [first] = issued
  if (first === undefined) throw new Error('no invoice was issued')
  return first
}

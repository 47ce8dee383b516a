import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { spawnTied } from '../support/tied-process.ts'
import type { InstalledValidator } from './install.ts'

/** What the validator says of a file. */
export type Verdict = {
  readonly tests: number
  readonly skipped: number
  /** Names of rules that do not hold. */
  readonly failures: readonly string[]
}

/** The rules of FOCUS 1.2 that come with the validator. */
const RULES = '1.2.0.1'

/**
 * What we support, so that its rules are run too: 251 of 578 instead of 137. Not USAGE_MEASUREMENT_SUPPORTED: those rules ask for a column
 * CommitmentDiscountStatus, which a provider without commitment discounts does not have; our own rules hold in their place.
 */
const CRITERIA = [
  'ACCOUNT_NAMING_SUPPORTED',
  'BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED',
  'MULTIPLE_BILLING_ACCOUNT_TYPES_SUPPORTED',
  'MULTIPLE_PRICING_CATEGORIES_SUPPORTED',
  'NEGOTIATED_PRICING_SUPPORTED',
  'PRICING_BILLING_CURRENCY_DIFFERENCES_SUPPORTED',
  'PUBLIC_PRICE_LIST_SUPPORTED',
  'RESOURCE_TYPE_ASSIGNMENT_SUPPORTED',
  'UNIT_PRICING_SUPPORTED',
  'VIRTUAL_CURRENCY_SUPPORTED',
]

/**
 * Runs the validator on a CSV file. Its exit code is 0 whatever fails, so that only its report counts; without one there is no verdict.
 * @throws with its last words
 */
export async function validate(
  { python, sitePackages }: InstalledValidator,
  { file, report }: { readonly file: string; readonly report: string },
): Promise<Verdict> {
  const args = ['-m', 'focus_validator.main', '--data-file', file, '--validate-version', RULES, '--block-download']
  const dataset = [
    '--focus-dataset',
    'CostAndUsage',
    '--output-type',
    'unittest',
    '--output-destination',
    report,
    '--applicability-criteria',
    CRITERIA.join(','),
  ]
  const child = spawnTied(python, [...args, ...dataset], { cwd: sitePackages })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`focus-validator ended with ${code}:\n${output.slice(-2000)}`)
  return readReport(readFileSync(report, 'utf8'))
}

/** Reads a JUnit report: every case, and which of them hold a failure or an error. */
function readReport(xml: string): Verdict {
  const cases = [...xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)]
  if (cases.length === 0) throw new Error(`focus-validator reported nothing: ${xml.slice(0, 500)}`)
  const failed = cases.filter(([, , body = '']) => /<(failure|error)\b/.test(body))
  return {
    tests: cases.length,
    skipped: cases.filter(([, , body = '']) => /<skipped\b/.test(body)).length,
    failures: failed.map(([, attributes = '']) => /\bname="([^"]*)"/.exec(attributes)?.[1] ?? attributes),
  }
}

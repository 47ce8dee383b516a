/** Keeps packages/contract/openapi.json equal to the contract. `--write` writes it; without, a stale file is an error. */
import { readFileSync, writeFileSync } from 'node:fs'
import { openApiDocument } from '../packages/contract/src/index.ts'

const file = new URL('../packages/contract/openapi.json', import.meta.url)
const wanted = `${JSON.stringify(openApiDocument(), null, 2)}\n`

if (process.argv.includes('--write')) {
  writeFileSync(file, wanted)
} else if (readIfThere() !== wanted) {
  console.error('packages/contract/openapi.json is stale: run `node tools/openapi.ts --write`')
  process.exitCode = 1
}

function readIfThere(): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

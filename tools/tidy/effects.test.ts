import { effectRules } from './effects.ts'
import { proveRules } from './planted.ts'

const LEDGER = 'packages/ledger/src/a.ts'

proveRules(effectRules, {
  'only packages that own a protocol open sockets': {
    faults: [
      { files: { [LEDGER]: "import { createServer } from 'node:http'\n" }, found: `${LEDGER}:1 imports node:http` },
      { files: { [LEDGER]: "import { isIP, connect } from 'node:net'\n" }, found: `${LEDGER}:1 imports node:net` },
      { files: { [LEDGER]: "\n\nawait fetch('http://127.0.0.1/')\n" }, found: `${LEDGER}:3 calls fetch()` },
      { files: { [LEDGER]: "const socket = new WebSocket('ws://127.0.0.1/')\n" }, found: `${LEDGER}:1 calls WebSocket()` },
    ],
    sound: [
      { 'packages/postgres/src/a.ts': "import { connect } from 'node:net'\n" },
      { [LEDGER]: "import { isIP } from 'node:net'\nimport type { Server } from 'node:http'\n" },
      { [LEDGER]: "export const get = (fetch: (url: string) => void): void => fetch('x')\n" },
      { [LEDGER]: "export function get({ fetch }: { fetch: (url: string) => void }): void {\n  fetch('x')\n}\n" },
      { 'packages/ledger/test/a.test.ts': "import { createServer } from 'node:http'\n" },
    ],
  },
  'only config.ts and main.ts read process.env': {
    faults: [
      { files: { [LEDGER]: "\nexport const home = process.env['HOME']\n" }, found: `${LEDGER}:2 reads process.env` },
      { files: { [LEDGER]: "import { env } from 'node:process'\n" }, found: `${LEDGER}:1 reads process.env` },
    ],
    sound: [
      { 'apps/gateway/src/config.ts': 'export const env = process.env\n', 'apps/gateway/src/main.ts': 'void process.env\n' },
      { 'packages/ledger/src/testing.ts': 'void process.env\n', 'packages/ledger/src/b.test.ts': 'void process.env\n' },
      { [LEDGER]: '// process.env\nexport const help: string = `set process.env`\n' },
    ],
  },
  'nobody calls process.exit()': {
    faults: [{ files: { 'apps/gateway/src/main.ts': 'process.exit(1)\n' }, found: 'apps/gateway/src/main.ts:1 uses process.exit' }],
    sound: [{ 'apps/gateway/src/main.ts': 'process.exitCode = 1\n' }],
  },
  'nobody prints past the logger': {
    faults: [{ files: { [LEDGER]: "console.log('here')\n" }, found: `${LEDGER}:1 uses console.log` }],
    sound: [{ 'tools/x.ts': "console.log('here')\n", 'packages/ledger/src/b.test.ts': "console.log('here')\n" }],
  },
  'no float touches money in rating and ledger': {
    faults: [
      { files: { [LEDGER]: "export const a = parseFloat('1')\n" }, found: `${LEDGER}:1 uses parseFloat` },
      { files: { [LEDGER]: "export const a = Number.parseFloat('1')\n" }, found: `${LEDGER}:1 uses Number.parseFloat` },
      { files: { [LEDGER]: 'export const a = (1).toFixed(2)\n' }, found: `${LEDGER}:1 uses toFixed` },
      { files: { 'packages/rating/src/a.ts': 'export const a = Math.round(1)\n' }, found: 'packages/rating/src/a.ts:1 uses Math.round' },
    ],
    sound: [{ 'packages/usage/src/a.ts': 'export const a = Math.round(1)\n', 'packages/ledger/src/b.test.ts': 'void Math.round(1)\n' }],
  },
})

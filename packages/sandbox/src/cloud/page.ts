import { formatNano } from '@ascribe/units'
import type { LoggedCall } from './call-log.ts'
import type { CloudHandles, SeenAccount, SeenServer } from './handles.ts'

const CALLS_SHOWN = 25
const GIB = 1_073_741_824

const STYLE = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); --dim: color-mix(in srgb, currentColor 65%, transparent) }
* { box-sizing: border-box }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 16px; max-width: 1100px }
h1 { font-size: 1.3rem; margin: 0 0 4px } h2 { font-size: 1.05rem; margin: 28px 0 8px }
p { margin: 0; color: var(--dim) } a { color: inherit }
table { border-collapse: collapse; width: 100% } th { text-align: left; font-weight: 600; white-space: nowrap }
th, td { padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: break-word }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap } code { font-size: .86em; color: var(--dim) }
.s { display: inline-block; border: 1px solid var(--line); border-radius: 9px; padding: 0 8px; white-space: nowrap }
.running { border-color: #2e8b57 } .unavailable, .SUSPENDED { border-color: #c0392b } .stopping, .starting, .deleting { border-color: #c58a00 }
@media (max-width: 900px) {
  thead { position: absolute; left: -9999px } tr { display: block; padding: 8px 0; border-bottom: 1px solid var(--line) }
  td { display: flex; justify-content: space-between; gap: 12px; border: 0; padding: 2px 0; text-align: right }
  td::before { content: attr(data-label); color: var(--dim); flex: none; text-align: left }
}`

/** A page for people: accounts, machines, the last calls. It loads nothing from anywhere, and has no script. */
export function cloudPage(cloud: CloudHandles): string {
  const accounts = cloud.accounts()
  const servers = cloud.servers()
  const calls = cloud.calls().slice(-CALLS_SHOWN).toReversed()
  const now = new Date(cloud.clock.now()).toISOString()
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sandbox cloud</title><style>${STYLE}</style></head><body><main>
<h1>Sandbox cloud</h1><p>${now}, clock ${cloud.clock.mode}. Reload to see what has changed.</p>
<h2>Accounts</h2>${table(['E-mail', 'State', '>Balance', '>Costs an hour'], accounts.map(accountCells))}
<h2>Machines</h2>${servers.length === 0 ? '<p>None yet.</p>' : table(['Name', 'Status', 'Owner', 'Region', '>CPU', '>Memory', '>Disk', 'Address'], servers.map(serverCells))}
<h2>Last calls</h2>${calls.length === 0 ? '<p>None yet.</p>' : table(['At', 'Call', 'Host', 'Acts as', '>Answer'], calls.map(callCells))}
</main></body></html>
`
}

type Cell = { readonly html: string; readonly isNumber?: boolean }

const accountCells = ({ email, state, isPlatform, currency, balanceNano, costNanoPerHour, uuid }: SeenAccount): readonly Cell[] => [
  { html: `${text(email)}${isPlatform ? ' (the service account’s own)' : ''}<br><code>${text(uuid)}</code>` },
  { html: badge(state) },
  { html: `${money(balanceNano)} ${text(currency)}`, isNumber: true },
  { html: `${money(costNanoPerHour)} ${text(currency)}`, isNumber: true },
]

const serverCells = (server: SeenServer): readonly Cell[] => [
  { html: `${text(server.name)}<br><code>${text(server.uuid)}</code>` },
  { html: badge(server.status) },
  { html: text(server.owner ?? '') },
  { html: text(server.region) },
  { html: `${server.cpu} MHz × ${server.smp}`, isNumber: true },
  { html: gib(server.mem), isNumber: true },
  { html: gib(server.diskBytes), isNumber: true },
  { html: text(server.addresses.join(', ')) },
]

const callCells = ({ at, method, path, host, user, tokenOf, status, fault }: LoggedCall): readonly Cell[] => [
  { html: text(at.slice(11, 23)) },
  { html: `${text(method)} <code>${text(path)}</code>` },
  { html: text(host) },
  { html: `${text(user ?? '')}${tokenOf === undefined ? '' : ` (with the token of ${text(tokenOf)})`}` },
  { html: `${status ?? 'open'}${fault === undefined ? '' : `, fault ${fault}`}`, isNumber: true },
]

/** A title that begins with `>` stands over numbers. */
function table(titles: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const head = titles.map((title) =>
    title.startsWith('>') ? `<th scope="col" class="n">${title.slice(1)}</th>` : `<th scope="col">${title}</th>`,
  )
  const body = rows.map((cells) => {
    const tds = cells.map(({ html, isNumber }, index) => {
      const label = titles[index]?.replace('>', '') ?? ''
      return `<td data-label="${label}"${isNumber === true ? ' class="n"' : ''}><span>${html}</span></td>`
    })
    return `<tr>${tds.join('')}</tr>`
  })
  return `<table><thead><tr>${head.join('')}</tr></thead><tbody>${body.join('\n')}</tbody></table>`
}

const badge = (word: string): string => `<span class="s ${text(word)}">${text(word)}</span>`
const gib = (bytes: number): string => `${Number((bytes / GIB).toFixed(2))} GiB`
const CENTS_OF_A_CENT = 100_000n

/** Four decimals are enough to look at; the exact figure is in the bill. */
const money = (nano: bigint): string => formatNano((nano / CENTS_OF_A_CENT) * CENTS_OF_A_CENT)

function text(value: string): string {
  return value.replace(/[&<>"']/g, (each) => `&#${each.charCodeAt(0)};`)
}

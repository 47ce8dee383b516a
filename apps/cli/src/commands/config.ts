import type { Command } from 'commander'
import { Secret } from '@ascribe/service'
import { contextOf } from '../command.ts'
import { routesOf } from '../config.ts'
import type { Surroundings } from '../surroundings.ts'

/** `ascribe config`. */
export function addConfig(program: Command, surroundings: Surroundings): void {
  program
    .command('config')
    .description('check the configuration; with --print, show what is in force and from where, secrets masked')
    .option('--print', 'show every setting')
    .action((options: { print?: true }, command: Command) => {
      const { out, config, loaded, dir } = contextOf(command, surroundings)
      // Routes have faults that only the gateway knows: better found here than when it starts.
      routesOf(config)
      const rows = [...loaded.sources].map(([name, source]) => ({ name, value: valueAt(config, name), source }))
      if (out.json)
        return out.value({ data: dir.root, settings: Object.fromEntries(rows.map(({ name, value, source }) => [name, { value, source }])) })
      if (options.print !== true) return out.line('the configuration is fine; --print shows it')
      out.line(`data directory: ${dir.root}`)
      out.line('')
      out.table(
        [{ title: 'setting' }, { title: 'value' }, { title: 'from' }],
        rows.map(({ name, value, source }) => [name, textOf(value), source]),
      )
    })
}

function valueAt(fields: unknown, dotted: string): unknown {
  let current = fields
  for (const name of dotted.split('.'))
    current = typeof current === 'object' && current !== null ? (current as Record<string, unknown>)[name] : undefined
  return current ?? null
}

/** A secret, wherever it stands, turns itself into `***`. */
function textOf(value: unknown): string {
  if (value === null) return '–'
  return typeof value === 'string' || value instanceof Secret ? String(value) : JSON.stringify(value)
}

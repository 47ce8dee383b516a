import type { Command } from 'commander'
import { createEndpointTable } from '@ascribe/gateway/endpoints'
import { configRows } from '@ascribe/service'
import { contextOf } from '../command.ts'
import { routesOf } from '../route-settings.ts'
import type { Surroundings } from '../surroundings.ts'

/** `ascribe config`. */
export function configureConfig(root: Command, surroundings: Surroundings): void {
  root.option('--print', 'show every setting').action((options: { print?: true }, command: Command) => {
    const { out, config, loaded, dir } = contextOf(command, surroundings)
    // Routes and paths have faults that only the gateway knows: better found here than when it starts.
    routesOf(config.gateway)
    createEndpointTable(config.gateway.paths)
    const rows = configRows(loaded)
    if (out.json)
      return out.value({
        data: dir.root,
        settings: Object.fromEntries(rows.map(({ key, value, source, env }) => [key, { value, source, env }])),
      })
    if (options.print !== true) return out.line('the configuration is fine; --print shows it')
    out.line(`data directory: ${dir.root}`)
    out.line('')
    out.table(
      [{ title: 'setting' }, { title: 'value' }, { title: 'from' }, { title: 'variable' }],
      rows.map(({ key, value, source, env }) => [key, value, source, env]),
    )
  })
}

import type { Told } from './stretches.ts'

/**
 * What lines of the cloud's log mean for what is paid: a machine is paid for from the start that was taken to the stop that was done, so
 * `stop_send` and an ACPI request mean nothing yet. `boot` is said when it runs; it starts what no `start_send` has.
 */
const MEANING: Readonly<Record<string, Told['what']>> = {
  start_send: 'start',
  start: 'start',
  boot: 'start',
  stop: 'stop',
  shutdown: 'stop',
  delete: 'delete',
}

/** Lines of the log of one server as changes, oldest first. What is not understood says nothing. */
export function toldOf(
  lines: readonly { readonly uuid: string; readonly action?: string; readonly at?: string }[],
  server: string,
): readonly Told[] {
  return lines
    .flatMap(({ uuid, action, at }) => {
      const what = uuid === server ? MEANING[action ?? ''] : undefined
      const instant = Date.parse(at ?? '')
      return what === undefined || Number.isNaN(instant) ? [] : [{ at: instant, what }]
    })
    .toSorted((a, b) => a.at - b.at)
}

import type { Command } from 'commander'
import { eraseBodies, readBodies } from '@ascribe/gateway/body-log'
import type { BodyEntry, BodyQuery, KeptBody } from '@ascribe/gateway/body-log'
import { InputError } from '@ascribe/kit'
import { formatInstant } from '@ascribe/units'
import { instantArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import { confirm } from '../confirm.ts'
import type { Context } from '../context.ts'
import { serverSecretOf } from '../server-secret.ts'
import type { Surroundings } from '../surroundings.ts'

type Which = { readonly authId?: string; readonly from?: number; readonly to?: number }

const HELP = `
Bodies are kept where body_log.enabled is on, and only of those whose terms say so (ascribe keys terms AUTH_ID --body-log 5%).

They lie in the data directory of each gateway, sealed under the server secret, and go by themselves after body_log.retention.
This command reads those of this machine.

Examples:  ascribe bodies list --auth-id AUTH_ID --from 2026-11-01T00:00:00Z
           ascribe bodies show EVENT_ID
           ascribe bodies erase --auth-id AUTH_ID --yes`

/** `ascribe bodies list|show|erase`. */
export function configureBodies(bodies: Command, surroundings: Surroundings): void {
  bodies.addHelpText('after', HELP)
  which(bodies.command('list').description('list what is kept, oldest first')).action(async (options: Which, command: Command) => {
    const context = contextOf(command, surroundings)
    const { query, warn } = queryOf(context, options)
    const rows: BodyEntry[] = []
    for await (const entry of readBodies(query)) {
      if (context.out.json) context.out.value(entryJson(entry))
      else rows.push(entry)
    }
    if (!context.out.json)
      context.out.table(
        [
          { title: 'at' },
          { title: 'event' },
          { title: 'auth id' },
          { title: 'model' },
          { title: 'status' },
          { title: 'in', align: 'right' },
          { title: 'out', align: 'right' },
        ],
        rows.map(({ at, eventId, authId, model, status, request, reply }) => [
          formatInstant(at),
          eventId,
          authId,
          model ?? '',
          status === undefined ? '' : String(status),
          String(request.bytes),
          String(reply.bytes),
        ]),
      )
    warn()
  })
  bodies
    .command('show')
    .argument('<event-id>', 'of the usage record')
    .description('show what is kept of one request')
    .action(async (eventId: string, _options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      const { query, warn } = queryOf(context, { eventId })
      const [entry] = await Array.fromAsync(readBodies(query))
      if (entry === undefined)
        throw new InputError(`Cannot show the bodies of ${eventId}: nothing is kept of it on this machine`, {
          hint: 'It may have been no part of the sample, or it is too old, or another gateway served it.',
        })
      if (context.out.json) context.out.value(entryJson(entry))
      else for (const line of linesOf(entry)) context.out.line(line)
      warn()
    })
  which(bodies.command('erase').description('delete what is kept, for good'))
    .option('--yes', 'do not ask')
    .action(async (options: Which & { readonly yes?: true }, command: Command) => {
      const context = contextOf(command, surroundings)
      const { authId, from, to } = options
      if (authId === undefined && from === undefined && to === undefined)
        throw new InputError('Cannot erase bodies: say which, by --auth-id, --from or --to')
      const { query, warn } = queryOf(context, options)
      if (options.yes !== true) await confirm('Delete these bodies for good?', surroundings)
      const erased = await eraseBodies(query)
      if (context.out.json) context.out.value({ erased })
      else context.out.line(`erased: ${erased}`)
      warn()
    })
}

function which(command: Command): Command {
  return command
    .option('--auth-id <id>', 'only of this credential')
    .option('--from <instant>', 'admitted at or after this, RFC 3339', instantArgument)
    .option('--to <instant>', 'admitted before this, RFC 3339', instantArgument)
}

function queryOf(
  context: Context,
  of: Pick<BodyQuery, 'authId' | 'eventId' | 'from' | 'to'>,
): { readonly query: BodyQuery; readonly warn: () => void } {
  let unreadable = 0
  const query = { dir: context.dir.bodies, serverSecret: serverSecretOf(context), ...of, onUnreadable: () => void (unreadable += 1) }
  return {
    query,
    warn: () => {
      if (unreadable > 0)
        context.logger.warn('some of what is kept does not open: it was cut off or changed, or its server secret is gone', {
          lines: unreadable,
        })
    },
  }
}

function* linesOf({ eventId, at, authId, groupId, model, status, outcome, request, reply }: BodyEntry): Generator<string> {
  yield `${formatInstant(at)}  ${eventId}`
  yield `auth id ${authId}${groupId === undefined ? '' : `, group ${groupId}`}${model === undefined ? '' : `, model ${model}`}, ${outcome}${status === undefined ? '' : `, status ${status}`}`
  yield* bodyLines('request', request)
  yield* bodyLines('reply', reply)
}

function* bodyLines(what: string, { contentType, bytes, text, isCut, isAssembled }: KeptBody): Generator<string> {
  const notes = [
    contentType,
    `${bytes} bytes`,
    ...(isAssembled ? ['put together from a stream'] : []),
    ...(isCut ? ['only the beginning'] : []),
  ]
  yield ''
  yield `── ${what} (${notes.filter((note) => note !== '').join(', ')})`
  yield text ?? 'not kept: it is no text, or compressed'
}

function entryJson({ eventId, at, authId, groupId, model, status, outcome, request, reply }: BodyEntry): object {
  const json = ({ contentType, bytes, text, isCut, isAssembled }: KeptBody): object => ({
    content_type: contentType,
    bytes,
    text: text ?? null,
    cut: isCut,
    assembled: isAssembled,
  })
  return {
    event_id: eventId,
    at: formatInstant(at),
    auth_id: authId,
    group_id: groupId,
    model,
    status,
    outcome,
    request: json(request),
    reply: json(reply),
  }
}

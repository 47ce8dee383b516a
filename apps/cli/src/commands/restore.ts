import { createReadStream } from 'node:fs'
import { access } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import type { Command } from 'commander'
import { InputError } from '@ascribe/kit'
import { restoreLedger, verifyRating } from '@ascribe/ledger'
import { contextOf } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import type { Finish } from '../finish.ts'
import { openDatabaseOnly } from '../open-ledger.ts'
import type { Surroundings } from '../surroundings.ts'

/** `ascribe restore FILE`. */
export function configureRestore(root: Command, surroundings: Surroundings, finish: Finish): void {
  root
    .argument('<file>', 'what `ascribe backup` wrote')
    .option('--no-verify', 'leave out the recount of all charges at the end')
    .addHelpText(
      'after',
      `
The database must be empty: a new data directory, or a new database by DATABASE_URL. All checksums are compared before anything is kept, and
at the end every charge is counted again from the records. Exit code 1: the recount differs.

Example:
  DATABASE_URL=postgres://…/ascribe_new ascribe restore /backup/ascribe-2026-11-22.gz`,
    )
    .action(async (file: string, options: { verify: boolean }, command: Command) => {
      const context = contextOf(command, surroundings)
      await access(file).catch((cause: unknown) => {
        throw new InputError(`Cannot read ${file}`, { cause })
      })
      await using ledger = await openDatabaseOnly(context, { name: 'restore', logger: context.logger, max: 4 })
      const restored = await context.out.progress('restoring', restoreLedger(ledger.db, unpacked(file)))
      const recount = options.verify ? await context.out.progress('counting again', verifyRating(ledger.db)) : undefined
      const isEqual = recount === undefined || recount.differenceCount === 0
      if (!isEqual) finish(EXIT.failed)
      if (context.out.json) {
        return context.out.value({
          ledger: restored.ledger,
          created_at: restored.createdAt,
          rows: restored.rows,
          ...(recount !== undefined && { recounted_hours: recount.hours, differences: recount.differenceCount }),
        })
      }
      const rows = Object.values(restored.rows).reduce((sum, count) => sum + count, 0)
      context.out.line(`restored ${rows} rows of ledger ${restored.ledger}, as it was at ${restored.createdAt}`)
      if (recount !== undefined)
        context.out.line(`counted ${recount.hours} hours again: ${isEqual ? 'all equal' : `${recount.differenceCount} differences`}`)
    })
}

/** What is in a compressed file. @throws {InputError} it is not one, or was cut off */
async function* unpacked(file: string): AsyncGenerator<Uint8Array, void, undefined> {
  const gunzip = createGunzip()
  // Its error comes out of the loop as well.
  const piped = pipeline(createReadStream(file), gunzip)
  piped.catch(() => {})
  try {
    yield* gunzip as AsyncIterable<Uint8Array>
    await piped
  } catch (cause) {
    throw new InputError(`Cannot restore ${file}: it is no backup, or it was cut off`, { cause, hint: 'Take another copy of it.' })
  }
}

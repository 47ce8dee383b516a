import { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import type { Command } from 'commander'
import { systemClock } from '@ascribe/kit'
import { backupLedger } from '@ascribe/ledger'
import { contextOf } from '../command.ts'
import { writeDurably } from '../durable-file.ts'
import { openLedger } from '../open-ledger.ts'
import type { Finish } from '../finish.ts'
import type { Surroundings } from '../surroundings.ts'

/** Compression costs more than the database; the highest levels gain little on such rows. */
const LEVEL = 4

/** `ascribe backup FILE`. */
export function configureBackup(root: Command, surroundings: Surroundings, _finish: Finish): void {
  root
    .argument('<file>', 'where it goes; it must not be there yet')
    .addHelpText(
      'after',
      `
It holds the ledger as it was when the command began, gzipped, with a checksum of every table. It does not hold the server secret, without
which keys stop working, nor journals and archives: keep those apart.

Examples:
  ascribe backup /backup/ascribe-$(date +%F).gz
  ascribe restore /backup/ascribe-2026-11-22.gz --data /var/lib/ascribe-new`,
    )
    .action(async (file: string, _options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'backup', logger: context.logger, max: 2 })
      const written = await context.out.progress(
        'writing the backup',
        backupLedger(ledger.db, {
          now: systemClock(),
          write: (chunks) =>
            writeDurably(
              file,
              Readable.from(chunks, { objectMode: false }).compose(createGzip({ level: LEVEL })) as AsyncIterable<Uint8Array>,
            ),
        }),
      )
      if (context.out.json) context.out.value({ file, ...written })
      else context.out.line(`${file}: ${written.bytes} bytes, sha256 ${written.sha256}`)
      context.out.note('The server secret is not in it: keep it apart, or no key works after a restore.')
    })
}

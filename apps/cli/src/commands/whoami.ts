import type { Command } from 'commander'
import { InputError } from '@ascribe/kit'
import { tryLock } from '@ascribe/service'
import { cloudAccessOf, regionOf, transportOf } from '../cloud/cloud-access.ts'
import type { CloudAccess } from '../cloud/cloud-access.ts'
import { createMintLog } from '../cloud/mint-log.ts'
import { whoAmI } from '../cloud/who-am-i.ts'
import type { WhoAmI } from '../cloud/who-am-i.ts'
import { whoAmIJson, printWhoAmI } from '../cloud/whoami-output.ts'
import { contextOf } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import type { Finish } from '../finish.ts'
import { operatorOf } from '../operator.ts'
import type { Surroundings } from '../surroundings.ts'

type WhoAmIOptions = { readonly owner?: string; readonly region?: string; readonly expect?: string; readonly allowStaging?: true }

/** `ascribe whoami`. */
export function configureWhoami(root: Command, surroundings: Surroundings, finish: Finish): void {
  root
    .option('--owner <email>', 'whom to act as')
    .option('--region <region>', 'where (default: CLOUDSIGMA_REGION, or the only one there is)')
    .option('--expect <uuid>', 'the id that the owner must have; then the balance is read as well')
    .option('--allow-staging', 'let the authorization server be one for trials')
    .addHelpText(
      'after',
      `
Goes through all three steps, as a machine of the owner's would be made: service-account token, RPT, impersonation; then asks the cloud
whose account that is. No token is kept or shown. Every token, and every refusal, leaves a line in DIR/audit/mints.jsonl.
In the legacy mode (CLOUDSIGMA_IMPERSONATION_ENABLED=false) it says whose user name and password are used.

Exit code 0 if that is who was asked for, 1 if not or if something refuses, 2 if settings are missing or the region is not in the table.

Examples:  ascribe whoami --owner user@example.com --region zrh
           ascribe whoami --owner user@example.com --region zrh --expect 018f4d5e-7b6a-4c3d-8e9f-0a1b2c3d4e5f --json`,
    )
    .action(async (options: WhoAmIOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      const { config, out } = context
      const access = cloudAccessOf(config.cloud, { allowStaging: options.allowStaging === true })
      const owner = ownerOf(access, options)
      const region = regionOf(access, options.region, config.cloud)
      using transport = transportOf(access)
      const work = whoAmI(
        access,
        {
          owner,
          region,
          expect: options.expect,
          realm: config.cloud.oauth_realm,
          actor: { program: 'ascribe whoami', operator: operatorOf(surroundings) },
        },
        { transport, audit: createMintLog(context.dir.mintLog, tryLock), logger: context.logger },
      )
      const found = await out.progress('asking', work)
      if (out.json) out.value(whoAmIJson(found))
      else printWhoAmI(out, found)
      finish(exitCodeOf(found))
    })
}

/** @throws {InputError} */
function ownerOf(access: CloudAccess, { owner }: WhoAmIOptions): string | undefined {
  if (owner === undefined && access.mode === 'impersonation')
    throw new InputError('Cannot tell whom to act as', { hint: 'Say --owner user@example.com.' })
  return owner
}

function exitCodeOf(found: WhoAmI): number {
  if (found.ok) return found.isUsable ? EXIT.ok : EXIT.failed
  return found.failure.step === 'local' ? EXIT.usage : EXIT.failed
}

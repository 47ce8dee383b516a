import { endTerms, listTerms, setTerms } from '@ascribe/contract/admin'
import { endTerms as end, readTerms, setTerms as set } from '@ascribe/ledger'
import type { TermsChange } from '@ascribe/ledger'
import { Refusal } from '../errors.ts'
import { PlainReply, route } from '../handler.ts'
import type { Route } from '../handler.ts'
import { authorOf } from './by.ts'
import { linesReply } from './lines.ts'

export const termsRoutes: readonly Route[] = [
  route(listTerms, async ({ db }) => linesReply(await readTerms(db))),
  route(setTerms, async ({ db, caller, note }, { body: { scope, subject, ...said } }) => {
    const change = said as TermsChange
    if (Object.values(change).every((value) => value === undefined)) throw new Refusal('invalid_request', 'No term is said.')
    const outcome = await set(db, { scope, subject, change, recordedBy: authorOf(caller) })
    if (outcome === 'unknown_subject') throw new Refusal('not_found', `There is no ${scope} with this id.`)
    if (outcome === 'too_many') throw new Refusal('conflict', 'So many have terms that gateways read no more: say it of an organization.')
    note({ scope, outcome, ...Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)) })
    return { outcome }
  }),
  route(endTerms, async ({ db, caller }, { params }) => {
    if ((await end(db, { ...params, recordedBy: authorOf(caller) })) === 'unknown_terms')
      throw new Refusal('not_found', 'There are no such terms.')
    return new PlainReply({ status: 204 })
  }),
]

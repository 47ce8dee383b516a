import type { Clock, Logger } from '@ascribe/kit'
import { hasPrefixLoosely } from '@ascribe/identity'
import type { ServerSecret } from '@ascribe/identity'
import { createEdgeProbeTaker } from '@ascribe/identity/edge-probe'
import type { Reply, RequestHead } from '@ascribe/relay'
import type { Admitted } from './admission.ts'
import { invalidRequest, jsonReply } from './replies.ts'

/** Answers `ascribe doctor --edge`: what of this very request has arrived, and whose it would be. */
export type EdgeProbe = {
  /** `model`: the question, good or not. */
  replyTo(model: string, asked: { readonly head: RequestHead; readonly admitted: Admitted }): Reply
}

export type EdgeProbeDeps = {
  readonly serverSecret: ServerSecret
  readonly clock: Clock
  readonly logger: Logger
  /** Lower-case prefix of identity headers. */
  readonly identityPrefix: string
  /** Lower-case name of the edge's secret header, which is never shown. */
  readonly secretHeader: string | undefined
}

const HEADERS_MAX = 200
const VALUE_LENGTH_MAX = 256

/**
 * The question is a token in place of a model's name (ADR 0099): so it takes the way of every other request, whatever a proxy lets pass.
 * It is asked after the gate, which refuses as ever; nothing is recorded, and no engine sees it.
 */
export function createEdgeProbe({ serverSecret, clock, logger, identityPrefix, secretHeader }: EdgeProbeDeps): EdgeProbe {
  const take = createEdgeProbeTaker(serverSecret, clock)
  const hidden = secretHeader === undefined ? undefined : loosely(secretHeader)

  function arrived({ headers }: RequestHead): readonly (readonly [string, string])[] {
    const found: [string, string][] = []
    for (let index = 0; index + 1 < headers.length && found.length < HEADERS_MAX; index += 2) {
      const name = headers[index] ?? ''
      if (!hasPrefixLoosely(name, identityPrefix) || loosely(name) === hidden) continue
      found.push([name, (headers[index + 1] ?? '').slice(0, VALUE_LENGTH_MAX)])
    }
    return found
  }

  return {
    replyTo(model, { head, admitted }) {
      if (!take(model)) {
        return invalidRequest('This probe of the edge is not taken: it is of another server secret, too old, or was used before.', {
          status: 404,
          code: 'edge_probe_not_taken',
          param: 'model',
        })
      }
      const { caller } = admitted
      logger.info('edge probe answered', { peer: head.peer, identifiedBy: caller.identifiedBy })
      return jsonReply(200, {
        object: 'ascribe.edge_probe',
        identified_by: caller.identifiedBy,
        peer: head.peer,
        auth_id: caller.authId,
        resource_id: caller.resourceId ?? null,
        headers: arrived(head),
      })
    },
  }
}

/** As whoever reads an underscore as a hyphen sees it. */
function loosely(name: string): string {
  return name.toLowerCase().replaceAll('_', '-')
}

import type { Finding } from '../finding.ts'
import { PATHS } from '../measure.ts'
import type { Examination } from '../measure.ts'
import { generationBody } from './usage-checks.ts'
import { readReply, usageBlocks } from '../reading.ts'

/** So many that a quick engine is not done before the client has left. */
const LONG_TOKENS = 1500
/** Events after which the client leaves. */
const EVENTS_MIN = 4

/** A client that leaves a stream: whether the engine stops, and whether its counter still says what it did. */
export async function checkLeaving(examination: Examination): Promise<Finding> {
  const capability = 'leaving'
  const { client, counter, model } = examination
  const body = {
    ...generationBody('chat', model, LONG_TOKENS),
    ignore_eos: true,
    stream: true,
    stream_options: { include_usage: true },
  }
  const before = await counter?.read()
  const reply = await client.post(PATHS.chat, body, { leaveWhen: (text) => text.split('\n\n').length > EVENTS_MIN })
  if (reply.status >= 400)
    return { capability, verdict: 'unclear', detail: `it answers ${reply.status} to a stream of ${LONG_TOKENS} tokens` }
  if (!reply.left) return { capability, verdict: 'unclear', detail: 'the reply was over before the client could leave' }
  const passed = readReply('chat', body, reply)?.observation.deltas ?? 0
  const running = usageBlocks(reply) > 0 ? ' Running counts came with it: they are what is billed.' : ''
  if (counter === undefined || before === undefined)
    return {
      capability,
      verdict: 'unclear',
      detail: `the client left after ${passed} pieces; the engine has no counter that would say what it did then`,
      means: `Reading on (the drain) is what makes the usage of such replies known.${running}`,
    }
  const { counts, rested } = await counter.settled()
  const generated = (counts?.generated ?? 0) - before.generated
  const detail = `the client left after ${passed} pieces; ${generated} of ${LONG_TOKENS} tokens were generated`
  const reading = `A reply that a client leaves is read on for its usage, within gateway.drain_time and drain_size.${running}`
  if (!rested) return { capability, verdict: 'ok', detail: `${detail} so far, and it goes on`, means: `${COSTS} ${reading}` }
  if (generated === 0 && passed > 0)
    return {
      capability,
      verdict: 'silent',
      detail: `${detail}, by its counter`,
      means: 'Its counter leaves out what clients left: it is no oracle for those.',
    }
  if (generated >= LONG_TOKENS) return { capability, verdict: 'ok', detail: `${detail}: it goes on`, means: `${COSTS} ${reading}` }
  return { capability, verdict: 'ok', detail: `${detail}: it stops, and counts what it did`, means: reading }
}

const COSTS = 'Whoever leaves is served to the end.'

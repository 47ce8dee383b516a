import { isMediaApi } from './media/media-asked.ts'
import { MediaTally } from './media/media-tally.ts'
import { MessagesTally } from './messages-tally.ts'
import type { Asked } from './observation.ts'
import type { Api } from './record.ts'
import { ResponsesTally } from './responses-tally.ts'
import { StreamTally } from './stream-tally.ts'
import type { Tally } from './tally.ts'

/** Whether the events of an API say by a type what they are, the terminal one included. */
export function hasTypedEvents(api: Api): boolean {
  return api === 'responses' || api === 'messages' || isMediaApi(api)
}

export function createTally(api: Api, asked: Asked): Tally {
  switch (api) {
    case 'responses':
      return new ResponsesTally()
    case 'messages':
      return new MessagesTally()
    default:
      return isMediaApi(api) ? new MediaTally(api, asked) : new StreamTally(api, asked)
  }
}

import { OwnerMismatchError } from './errors.ts'
import { listOf } from './json.ts'
import type { Owner } from './objects.ts'
import type { Answer, Call, CallOptions, Transport } from './transport.ts'

/** What a create or clone gave. `owner` is whose it is, by the cloud: {@link assertOwner} compares it with whom it should be. */
export type Made<Item> = { readonly object: Item; readonly owner?: Owner; readonly requestId?: string }

type MadeItem = { readonly uuid: string; readonly owner?: Owner }

/** One call that makes one object. */
export async function make<Item extends MadeItem>(
  transport: Transport,
  call: Call,
  { parse, options }: { readonly parse: (item: unknown) => Item; readonly options?: CallOptions | undefined },
): Promise<Made<Item>> {
  const answer = await transport.send(call, options)
  const object = onlyObject(transport, call, { answer, parse })
  return {
    object,
    ...(object.owner !== undefined && { owner: object.owner }),
    ...(answer.requestId !== undefined && { requestId: answer.requestId }),
  }
}

type OneAnswer<Item> = { readonly answer: Answer; readonly parse: (item: unknown) => Item }

/** The one object of `{"objects": [...]}`, or the body itself where the API answers so. */
export function onlyObject<Item extends { readonly uuid: string }>(
  transport: Transport,
  call: Pick<Call, 'operation'>,
  { answer, parse }: OneAnswer<Item>,
): Item {
  const objects = listOf(answer.body, 'objects')
  if (objects.length > 1) throw transport.malformed(call, answer, `it holds ${objects.length} objects, not one`)
  const object = parse(objects[0] ?? answer.body)
  if (object.uuid === '') throw transport.malformed(call, answer, 'it holds no object with an id')
  return object
}

/**
 * Asserts that what was made belongs to the pinned owner. An object without an owner is nobody's, and so not theirs.
 * @throws {OwnerMismatchError} with the id of what was made, which exists and costs somebody money
 */
export function assertOwner<Item extends MadeItem>(made: Made<Item>, ownerUuid: string): Made<Item> {
  if (made.owner?.uuid === ownerUuid) return made
  throw new OwnerMismatchError({ created: made.object.uuid, expected: ownerUuid, actual: made.owner?.uuid })
}

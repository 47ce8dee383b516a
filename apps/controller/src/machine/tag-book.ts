import type { CloudSigma, Made, Tag } from '@ascribe/cloudsigma'
import type { AccountPin } from '../authority/pin.ts'
import { accountKeyOf } from './account-views.ts'

/** Makes a tag, as an act. */
export type MakeTag = (name: string) => Promise<Made<Tag>>

export type TagRequest = {
  readonly pin: AccountPin
  readonly cloud: CloudSigma
  readonly names: readonly string[]
  readonly deadlineMs: number
  readonly make: MakeTag
}

/**
 * Uuids of tags by their names. Tags are put on servers from the server's side, and a tag's own list of resources is never written: that
 * replaces it, and others write it too. What is there is used; another's tag of the same name is not (H-22).
 */
export type TagBook = {
  uuidsOf(request: TagRequest): Promise<readonly string[]>
  /** A server was refused: perhaps a tag was deleted. */
  forget(of: Pick<TagRequest, 'pin' | 'cloud'>): void
}

const ACCOUNTS_MAX = 2_000
const TAGS_MAX = 5_000

export function createTagBook(): TagBook {
  const books = new Map<string, Promise<Map<string, string>>>()

  async function read({ pin, cloud, deadlineMs }: TagRequest): Promise<Map<string, string>> {
    const tags = await cloud.tags.list({}, { whole: true, deadlineMs })
    return new Map(tags.filter(({ owner }) => owner?.uuid === pin.userUUID).map(({ name, uuid }) => [name, uuid]))
  }

  function bookOf(request: TagRequest): Promise<Map<string, string>> {
    const key = accountKeyOf(request)
    const known = books.get(key)
    if (known !== undefined) return known
    if (books.size >= ACCOUNTS_MAX) books.delete(books.keys().next().value ?? '')
    const reading = read(request)
    books.set(key, reading)
    reading.catch(() => books.delete(key))
    return reading
  }

  const making = new Map<string, Promise<string>>()
  async function makeOnce(key: string, { name, make }: { readonly name: string; readonly make: MakeTag }): Promise<string> {
    const flight = making.get(key) ?? make(name).then(({ object }) => object.uuid)
    making.set(key, flight)
    return flight.finally(() => making.delete(key))
  }

  return {
    async uuidsOf(request) {
      if (request.names.length === 0) return []
      const book = await bookOf(request)
      const uuids: string[] = []
      for (const name of new Set(request.names)) {
        const uuid = book.get(name) ?? (await makeOnce(`${accountKeyOf(request)} ${name}`, { name, make: request.make }))
        if (book.size < TAGS_MAX) book.set(name, uuid)
        uuids.push(uuid)
      }
      return uuids
    },
    forget: (of) => void books.delete(accountKeyOf(of)),
  }
}

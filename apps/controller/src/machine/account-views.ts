import type { CloudSigma, Drive, Server } from '@ascribe/cloudsigma'
import type { Clocks } from '@ascribe/kube'
import type { AccountPin } from '../authority/pin.ts'

/** A whole list of an account in one region, as it was. */
export type Listing<Item> = {
  readonly items: ReadonlyMap<string, Item>
  /** Monotonic, when it was asked for: what was there before is in it, but for the cloud's own lag. */
  readonly begunAt: number
  /** The same instant by the wall clock. */
  readonly begunWall: number
}

export type ListRequest = {
  readonly pin: AccountPin
  /** Any machine's client for the account: they all act as the same user. */
  readonly cloud: CloudSigma
  /** Nothing that was asked for before this instant will do (monotonic). */
  readonly notBefore: number
  readonly deadlineMs?: number
}

/**
 * Lists of accounts, shared among all machines that want one: in the steady state one list for each account and region and period,
 * however many machines there are. Whole lists always (`limit=0`), since what is made depends on what is not in them.
 */
export type AccountViews = {
  servers(request: ListRequest): Promise<Listing<Server>>
  drives(request: ListRequest): Promise<Listing<Drive>>
  /** When the newest list of servers was asked for; to look again when it has become old. */
  serversBegunAt(of: Pick<ListRequest, 'pin' | 'cloud'>): number | undefined
}

type Slot<Item> = { latest: Listing<Item> | undefined; flight: { begunAt: number; listing: Promise<Listing<Item>> } | undefined }

/** So many lists of accounts are kept; the one that was made first goes first. A list that goes is taken again. */
const SLOTS_MAX = 2_000
const LIST_DEADLINE_MS = 60_000

export function createAccountViews(clocks: Pick<Clocks, 'monotonic' | 'wall'>): AccountViews {
  const servers = createSlots<Server>(clocks, (cloud, deadlineMs) => cloud.servers.list({}, { whole: true, deadlineMs }))
  const drives = createSlots<Drive>(clocks, (cloud, deadlineMs) => cloud.drives.list({}, { whole: true, deadlineMs }))
  return {
    servers: (request) => servers.take(request),
    drives: (request) => drives.take(request),
    serversBegunAt: (of) => servers.begunAt(accountKeyOf(of)),
  }
}

/** One account at one place: two Impersonators may give one name of a region to two hosts. */
export function accountKeyOf({ pin, cloud }: Pick<ListRequest, 'pin' | 'cloud'>): string {
  return `${pin.kind} ${pin.userUUID} ${pin.region} ${cloud.origin}`
}

function createSlots<Item extends { readonly uuid: string }>(
  clocks: Pick<Clocks, 'monotonic' | 'wall'>,
  list: (cloud: CloudSigma, deadlineMs: number) => Promise<readonly Item[]>,
): { take(request: ListRequest): Promise<Listing<Item>>; begunAt(key: string): number | undefined } {
  const slots = new Map<string, Slot<Item>>()

  function slotOf(key: string): Slot<Item> {
    let slot = slots.get(key)
    if (slot === undefined) {
      if (slots.size >= SLOTS_MAX) slots.delete(slots.keys().next().value ?? '')
      slot = { latest: undefined, flight: undefined }
      slots.set(key, slot)
    }
    return slot
  }

  function begin(slot: Slot<Item>, { cloud, deadlineMs = LIST_DEADLINE_MS }: ListRequest): Promise<Listing<Item>> {
    const [begunAt, begunWall] = [clocks.monotonic(), clocks.wall()]
    const listing = list(cloud, deadlineMs).then((items) => {
      const taken = { items: new Map(items.map((item) => [item.uuid, item])), begunAt, begunWall }
      if (slot.latest === undefined || slot.latest.begunAt < begunAt) slot.latest = taken
      return taken
    })
    const flight = { begunAt, listing }
    slot.flight = flight
    const end = (): void => {
      if (slot.flight === flight) slot.flight = undefined
    }
    listing.then(end, end)
    return listing
  }

  return {
    begunAt: (key) => slots.get(key)?.latest?.begunAt,
    async take(request) {
      const slot = slotOf(accountKeyOf(request))
      if (slot.latest !== undefined && slot.latest.begunAt >= request.notBefore) return slot.latest
      // Whoever comes while a list is under way that is too old for them waits for it, and shares the next.
      while (slot.flight !== undefined) {
        if (slot.flight.begunAt >= request.notBefore) return slot.flight.listing
        await slot.flight.listing.catch(() => undefined)
      }
      // Nothing may be awaited between the check above and this: else two would begin.
      return begin(slot, request)
    },
  }
}

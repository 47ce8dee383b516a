/** What {@link OpenSessions} writes into its members. */
export type Listed = {
  /** Owned by the list. */
  listIndex: number
}

/**
 * The members that are under way. An array, not a `Set`: V8's tables point from the outgrown one to its successor, so that one
 * outgrown table in the old generation keeps all later members alive until the next full collection. Measured at 64 connections: 8 KB a request survived, and collecting took 11 % of the CPU instead of 4 %.
 */
export class OpenSessions<T extends Listed> {
  readonly #members: T[] = []

  add(member: T): void {
    member.listIndex = this.#members.length
    this.#members.push(member)
  }

  remove(member: T): void {
    const last = this.#members.pop()
    if (last !== undefined && last !== member) {
      this.#members[member.listIndex] = last
      last.listIndex = member.listIndex
    }
  }

  /** Those that are under way now. */
  all(): T[] {
    return [...this.#members]
  }
}

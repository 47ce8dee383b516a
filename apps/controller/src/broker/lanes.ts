/** Work that must not overlap with other work of the same name: each waits for the one before it, however that ended. */
export type Lanes = { run<Result>(name: string, work: () => Promise<Result>): Promise<Result> }

export function createLanes(): Lanes {
  const last = new Map<string, Promise<unknown>>()
  return {
    run(name, work) {
      const mine = (last.get(name) ?? Promise.resolve()).then(work, work)
      last.set(name, mine)
      const forget = (): void => {
        if (last.get(name) === mine) last.delete(name)
      }
      mine.then(forget, forget)
      return mine
    },
  }
}

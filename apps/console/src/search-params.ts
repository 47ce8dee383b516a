/** A query as the console has it: every name once, several values as a list. */
export type RawSearch = Readonly<Record<string, string | readonly string[]>>

/** Reads `?a=1&b=2&b=3`; nothing is taken for a number, `true` or JSON. */
export function parseSearch(text: string): RawSearch {
  const search: Record<string, string | string[]> = {}
  for (const [name, value] of new URLSearchParams(text)) {
    // A name is just a name, also `toString`; the one that cannot be is no name of ours.
    if (name === '__proto__') continue
    const before = Object.hasOwn(search, name) ? search[name] : undefined
    search[name] = before === undefined ? value : [...(typeof before === 'string' ? [before] : before), value]
  }
  return search
}

/** The reverse: with its `?`, or empty. Names keep their order, so that one state has one address. */
export function formatSearch(search: Readonly<Record<string, unknown>>): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(search)) {
    for (const each of Array.isArray(value) ? value : [value]) if (each !== undefined && each !== null) params.append(name, String(each))
  }
  // Readable in a pasted link, and legal in a query (RFC 3986 section 3.4).
  const text = params.toString().replaceAll('%3A', ':').replaceAll('%2C', ',').replaceAll('%2F', '/')
  return text === '' ? '' : `?${text}`
}

/** How one value of a page's state stands in its address. */
export type SearchField<Value> = {
  /** `undefined`: the text means nothing; the value is dropped, and said to be. `raw` is `undefined` where the name is absent. */
  read(raw: string | readonly string[] | undefined): { readonly value: Value } | undefined
  /** `undefined`: the value is what an absent name means. */
  write(value: Value): string | readonly string[] | undefined
}

export type SearchFields<State> = { readonly [Name in keyof State]: SearchField<State[Name]> }

/** One of some words; absent: `fallback`. */
export function oneOf<const Word extends string>(words: readonly Word[], fallback: NoInfer<Word>): SearchField<Word> {
  return {
    read(raw) {
      if (raw === undefined) return { value: fallback }
      const value = words.find((word) => word === raw)
      return value === undefined ? undefined : { value }
    },
    write: (value) => (value === fallback ? undefined : value),
  }
}

/** A text that fits; absent: `undefined`. */
export function optionalText(fits: (text: string) => boolean = () => true): SearchField<string | undefined> {
  return {
    read: (raw) => (raw === undefined ? { value: undefined } : typeof raw === 'string' && fits(raw) ? { value: raw } : undefined),
    write: (value) => (value === '' ? undefined : value),
  }
}

/** A UTC day `2026-11-22` that exists. */
export function optionalDay(): SearchField<string | undefined> {
  return optionalText(isDay)
}

/** Whether a text is a UTC day that exists. */
export function isDay(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false
  const at = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text)
}

/** A list of texts that fit, in their order, each once; absent: none. One that does not fit drops all of them: half a filter is another filter. */
export function texts(fits: (text: string) => boolean = () => true): SearchField<readonly string[]> {
  return {
    read(raw) {
      const all = raw === undefined ? [] : typeof raw === 'string' ? [raw] : raw
      return all.every(fits) ? { value: [...new Set(all)] } : undefined
    },
    write: (value) => (value.length === 0 ? undefined : value),
  }
}

/** A page's state as its address says it, and the names whose values meant nothing and were dropped. */
export function readSearch<State extends object>(
  fields: SearchFields<State>,
  raw: RawSearch,
): { readonly state: State; readonly dropped: readonly string[] } {
  const state: Partial<State> = {}
  const dropped: string[] = []
  for (const name of namesOf(fields)) {
    const found = fields[name].read(Object.hasOwn(raw, name) ? raw[name] : undefined)
    if (found === undefined) dropped.push(name)
    const kept = found ?? fields[name].read(undefined)
    if (kept !== undefined) state[name] = kept.value
  }
  // Every name of the fields has been given a value.
  return { state: state as State, dropped }
}

/** The part of an address that says this state. */
export function writeSearch<State extends object>(fields: SearchFields<State>, state: State): RawSearch {
  const raw: Record<string, string | readonly string[]> = {}
  for (const name of namesOf(fields)) {
    const value = fields[name].write(state[name])
    if (value !== undefined) raw[name] = value
  }
  return raw
}

function namesOf<State extends object>(fields: SearchFields<State>): (keyof State & string)[] {
  return Object.keys(fields) as (keyof State & string)[]
}

/** A map that forgets what was used longest ago, beyond so many entries. */
export class LruMap<V> {
  readonly #values = new Map<string, V>()
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  get(key: string): V | undefined {
    const value = this.#values.get(key)
    if (value !== undefined) {
      this.#values.delete(key)
      this.#values.set(key, value)
    }
    return value
  }

  /** The value there, or the one that is made now. */
  at(key: string, make: () => V): V {
    const known = this.get(key)
    if (known !== undefined) return known
    const made = make()
    this.set(key, made)
    return made
  }

  set(key: string, value: V): void {
    this.#values.delete(key)
    this.#values.set(key, value)
    const [oldest] = this.#values.keys()
    if (this.#values.size > this.#max && oldest !== undefined) this.#values.delete(oldest)
  }

  delete(key: string): boolean {
    return this.#values.delete(key)
  }

  clear(): void {
    this.#values.clear()
  }

  get size(): number {
    return this.#values.size
  }

  entries(): MapIterator<[string, V]> {
    return this.#values.entries()
  }
}

/** How a key is drawn: one of eight colours or grey, and one of three textures. The same in bars, swatches, tooltips, drawer and print. */
export type Look = { readonly slot: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 'other'; readonly texture: 'solid' | 'lines' | 'dots' }

const SLOTS = [1, 2, 3, 4, 5, 6, 7, 8] as const
const TEXTURES = ['solid', 'lines', 'dots'] as const

export const OTHER_LOOK: Look = { slot: 'other', texture: 'solid' }
/** What has no key, as a line of the whole month. */
const NO_KEY_LOOK: Look = { slot: 'other', texture: 'lines' }

/** The look of a place in an order that does not change: the catalogue's, by first use. */
export function lookAt(index: number): Look {
  return { slot: SLOTS[index % SLOTS.length] ?? 1, texture: TEXTURES[Math.floor(index / SLOTS.length) % TEXTURES.length] ?? 'solid' }
}

/** FNV-1a of UTF-16 units, 32 bits: for keys of dimensions without a catalogue. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash >>> 0
}

/** Categories are few and known; the order in which a statement has them. */
const CATEGORIES = ['usage', 'tier', 'package', 'included', 'minimum', 'commitment', 'adjustment']

/**
 * The look of a key. It depends on the dimension and its catalogue alone, on neither range, filters nor rank, so that a model keeps its colour when
 * others come or go. What the catalogue does not have yet (or a price, of which there is none) takes its look from its own name.
 */
export function lookOf(key: string, order: ReadonlyMap<string, number>): Look {
  if (key === '') return NO_KEY_LOOK
  const index = order.get(key)
  if (index !== undefined) return lookAt(index)
  const category = CATEGORIES.indexOf(key)
  return lookAt(category === -1 ? hashOf(key) % (SLOTS.length * TEXTURES.length) : category)
}

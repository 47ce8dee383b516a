const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/**
 * Text for an element or a quoted attribute. Control characters, which mean nothing on paper, and those that turn the direction of
 * writing, with which a name could make an amount read otherwise, are shown as U+FFFD.
 */
export function escapeHtml(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
    .replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (character) => (/[\t\n\r]/.test(character) ? ' ' : '\ufffd'))
}

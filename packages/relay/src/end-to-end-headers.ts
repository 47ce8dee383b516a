import type { RawHeaders } from './types.ts'

/**
 * The fields of a message that may travel on: without the hop-by-hop set of RFC 9110 section 7.6.1 (`Connection`,
 * `Keep-Alive`, `Proxy-*`, `TE`, `Trailer`, `Transfer-Encoding`, `Upgrade`) and without every field that its `Connection`
 * names. Runs before anybody adds fields of their own; otherwise a client could name `x-saturn-auth-id` in `Connection` and
 * make us strip our own attribution. Order, case and repetition are kept; the same array comes back when nothing goes.
 */
export function endToEndHeaders(headers: RawHeaders): RawHeaders {
  let named: Set<string> | undefined
  let dropped = 0
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    if (!isHopByHop(name)) continue
    dropped += 1
    if (isNamed(name, 'connection')) named = addListed(named, headers[i + 1] ?? '')
  }
  if (dropped === 0) return headers
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    if (isHopByHop(name) || named?.has(name.toLowerCase())) continue
    kept.push(name, headers[i + 1] ?? '')
  }
  return kept
}

/** Whether a field's name is `lower`, which is given in lower case. Names are compared without case (RFC 9110 section 5.1). */
export function isNamed(name: string, lower: string): boolean {
  return name.length === lower.length && (name === lower || name.toLowerCase() === lower)
}

const FIRST_LETTERS = new Set('ckptuCKPTU'.split('').map((letter) => letter.charCodeAt(0)))

/** Whether a field says something about one connection only, by its name alone. */
export function isHopByHop(name: string): boolean {
  // Most names end here, before anything is allocated for a lower-case copy.
  if (!FIRST_LETTERS.has(name.charCodeAt(0))) return false
  switch (name.length) {
    case 2:
      return isNamed(name, 'te')
    case 7:
      return isNamed(name, 'trailer') || isNamed(name, 'upgrade')
    case 10:
      if (isNamed(name, 'connection') || isNamed(name, 'keep-alive')) return true
      break
    case 17:
      if (isNamed(name, 'transfer-encoding')) return true
      break
    default:
      break
  }
  return name.length > 6 && isNamed(name.slice(0, 6), 'proxy-')
}

/** Adds the names of fields that a `Connection` field lists. */
export function addListed(named: Set<string> | undefined, value: string): Set<string> | undefined {
  // What nearly every server says.
  if (value === 'keep-alive' || value === 'close') return named
  let names = named
  for (const option of value.split(',')) {
    const name = option.trim().toLowerCase()
    if (name === '' || name === 'close' || name === 'keep-alive') continue
    names ??= new Set()
    names.add(name)
  }
  return names
}

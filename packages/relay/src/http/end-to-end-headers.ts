import type { RawHeaders } from '../types.ts'

/**
 * The fields of a message that may travel on: without the hop-by-hop set of RFC 9110 section 7.6.1 (`Connection`,
 * `Keep-Alive`, `Proxy-*`, `TE`, `Trailer`, `Transfer-Encoding`, `Upgrade`) and without every field that its `Connection`
 * names. Runs before anybody adds fields of their own; otherwise a client could name `x-saturn-auth-id` in `Connection` and
 * make us strip our own attribution. Order, case and repetition are kept; the same array comes back when nothing goes.
 */
export function endToEndHeaders(headers: RawHeaders): RawHeaders {
  let named: Set<string> | undefined
  let kept: string[] | undefined
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    if (isHopByHop(name)) {
      kept ??= headers.slice(0, i)
      if (isNamed(name, 'connection')) named = addListed(named, headers[i + 1] ?? '')
    } else kept?.push(name, headers[i + 1] ?? '')
  }
  if (kept === undefined) return headers
  // It may name what stood before it.
  return named === undefined ? kept : withoutNamed(kept, named)
}

/** Without the fields of these names, which are given in lower case. */
export function withoutNamed(headers: RawHeaders, named: ReadonlySet<string>): string[] {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    if (!named.has(name.toLowerCase())) kept.push(name, headers[i + 1] ?? '')
  }
  return kept
}

/** Whether a field's name is `lower`, which is given in lower case. Names are compared without case (RFC 9110 section 5.1). */
export function isNamed(name: string, lower: string): boolean {
  if (name.length !== lower.length) return false
  // Most names differ from others of their length in the first letter; none needs a copy in lower case.
  for (let i = 0; i < lower.length; i += 1) {
    const code = name.charCodeAt(i)
    const expected = lower.charCodeAt(i)
    if (code !== expected && (code < 65 || code > 90 || code + 32 !== expected)) return false
  }
  return true
}

/** Whether a field says something about one connection only, by its name alone. */
export function isHopByHop(name: string): boolean {
  switch (name.charCodeAt(0) | 32) {
    case 99: // c
      return isNamed(name, 'connection')
    case 107: // k
      return isNamed(name, 'keep-alive')
    case 112: // p
      return name.length > 6 && isNamed(name.slice(0, 6), 'proxy-')
    case 116: // t
      return isNamed(name, 'te') || isNamed(name, 'trailer') || isNamed(name, 'transfer-encoding')
    case 117: // u
      return isNamed(name, 'upgrade')
    default:
      return false
  }
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

import type { SignedHead } from './keys.ts'
import type { ChainReport } from './verify.ts'

/** What a check that found nothing cannot rule out, in words. */
export function caveatsOf(
  chains: readonly ChainReport[],
  { heads, hasKeys }: { readonly heads: readonly SignedHead[]; readonly hasKeys: boolean },
): readonly string[] {
  const caveats = ['That something was done of which no line was ever written, or that a line lied when it was written.']
  if (!hasKeys) {
    caveats.push(
      'That somebody who can write to the database made all of it anew and signed it with a key of their own: no trusted key was given (--key).',
    )
  }
  if (heads.length === 0) {
    caveats.push(
      'That the newest lines were cut off, or all of them rewritten, before this export by somebody who has the signing key or can have heads signed: no head was given that was kept elsewhere (--head).',
    )
  } else {
    for (const { chain, last } of chains) {
      const kept = Math.max(0, ...heads.filter((head) => head.chain === chain).map(({ sequence }) => sequence))
      if (kept < last) caveats.push(uncovered(chain, kept))
    }
  }
  const erased = chains.reduce((sum, { erasedFields }) => sum + erasedFields, 0)
  if (erased > 0) caveats.push(`What ${erased} erased field${erased === 1 ? '' : 's'} said: nobody can tell any more.`)
  caveats.push('That there are other chains, which are neither in the file nor named by a head that was given.')
  return caveats
}

function uncovered(chain: string, kept: number): string {
  const after = kept === 0 ? 'any of it' : `lines after ${kept}, up to which a head was given,`
  return `Of ${chain}: that ${after} was cut off or rewritten by somebody who has the signing key or can have heads signed.`
}

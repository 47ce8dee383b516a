import type { ReactNode } from 'react'
import type { Look } from '../look.ts'

/** What colours and textures are made of, once for the page: patterns of the surface's colour over the colour of a slot. */
export function Patterns(): ReactNode {
  return (
    <svg className="ov-patterns" width="0" height="0" aria-hidden="true">
      <defs>
        <pattern id="ov-lines" width="4" height="4" patternUnits="userSpaceOnUse">
          <path d="M0,1H4" className="ov-texture" />
        </pattern>
        <pattern id="ov-dots" width="5" height="5" patternUnits="userSpaceOnUse">
          <circle cx="2.5" cy="2.5" r="1.1" className="ov-texture-dot" />
        </pattern>
        <pattern id="ov-hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <path d="M1,0V6" className="ov-hatch" />
        </pattern>
      </defs>
    </svg>
  )
}

/** The pattern over a look's colour; `undefined`: none. */
export function textureOf({ texture }: Look): string | undefined {
  return texture === 'solid' ? undefined : `url(#ov-${texture})`
}

/** How a key is drawn, in a table or a tooltip. */
export function Swatch({ look }: { look: Look }): ReactNode {
  const texture = textureOf(look)
  return (
    <svg className="ov-swatch" width="12" height="12" aria-hidden="true">
      <rect width="12" height="12" rx="2" className={`ov-cat-${look.slot}`} />
      {texture !== undefined && <rect width="12" height="12" rx="2" fill={texture} />}
    </svg>
  )
}

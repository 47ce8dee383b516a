import { useState } from 'react'
import type { ReactElement } from 'react'
import { THEMES, applyTheme, readTheme } from '../theme/theme.ts'
import type { Theme } from '../theme/theme.ts'

const WORDS: Readonly<Record<Theme, string>> = { system: 'System', light: 'Light', dark: 'Dark' }

/** System, light or dark: a select of the browser, which needs no code of ours. */
export function ThemeChoice(): ReactElement {
  const [theme, setTheme] = useState(readTheme)
  return (
    <label className="theme-choice">
      Theme
      <select
        value={theme}
        onChange={({ target }) => {
          const chosen = THEMES.find((each) => each === target.value) ?? 'system'
          applyTheme(chosen)
          setTheme(chosen)
        }}
      >
        {THEMES.map((each) => (
          <option key={each} value={each}>
            {WORDS[each]}
          </option>
        ))}
      </select>
    </label>
  )
}

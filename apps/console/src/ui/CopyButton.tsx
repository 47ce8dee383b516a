import { useEffect, useState } from 'react'
import type { ReactNode } from 'react'
import { Button } from './Button.tsx'
import { IconButton } from './IconButton.tsx'

/** How long it says that it has copied. */
const SAID_MS = 2000

/** Puts a text on the clipboard and says so. Where there is no clipboard it says that, so that one selects the text instead. */
export function CopyButton({
  text,
  label = 'Copy',
  isIconOnly = false,
  size = 's',
  onCopied,
}: {
  text: string
  label?: string
  isIconOnly?: boolean
  size?: 's' | 'm'
  onCopied?: () => void
}): ReactNode {
  const [said, say] = useState<'' | 'Copied' | 'Cannot copy: select it instead'>('')
  useEffect(() => {
    if (said === '') return undefined
    const timer = setTimeout(() => say(''), SAID_MS)
    return () => clearTimeout(timer)
  }, [said])
  const copy = (): void => {
    const done = (navigator.clipboard as Clipboard | undefined)?.writeText(text) ?? Promise.reject(new Error('no clipboard'))
    void done.then(
      () => {
        say('Copied')
        onCopied?.()
      },
      () => say('Cannot copy: select it instead'),
    )
  }
  const icon = said === 'Copied' ? 'check' : 'copy'
  return (
    <>
      {isIconOnly ? (
        <IconButton icon={icon} label={label} onPress={copy} />
      ) : (
        <Button size={size} icon={icon} onPress={copy}>
          {said === '' ? label : said}
        </Button>
      )}
      <span role="status" className="ui-hidden">
        {said}
      </span>
    </>
  )
}

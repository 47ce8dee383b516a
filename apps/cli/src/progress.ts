/** Long enough for a person to wonder. */
const WONDER_MS = 1000
const FRAME_MS = 120
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const

/** Says on a terminal what is being done when `work` takes more than a second, and wipes it away afterwards. */
export async function withProgress<Result>(stderr: NodeJS.WriteStream, what: string, work: Promise<Result>): Promise<Result> {
  if (!stderr.isTTY) return work
  let frame = 0
  let shown = false
  const started = performance.now()
  const timer = setInterval(() => {
    const elapsedMs = performance.now() - started
    if (elapsedMs < WONDER_MS) return
    shown = true
    frame += 1
    stderr.write(`\r${FRAMES[frame % FRAMES.length] ?? ''} ${what}, ${Math.floor(elapsedMs / 1000)} s`)
  }, FRAME_MS)
  try {
    return await work
  } finally {
    clearInterval(timer)
    if (shown) stderr.write('\r\u001B[K')
  }
}

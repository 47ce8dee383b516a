/** When a token is replaced in the background, and from when on nobody gets it any more; both from the instant it was received. */
export type Windows = { readonly softMs: number; readonly hardMs: number }

const SOFT_SHARE = 0.2
const SOFT_MS_MAX = 300_000
/** Less is no window: minting takes seconds when it is slow. */
const SOFT_MS_MIN = 10_000
const HARD_SHARE = 0.05
const HARD_MS_MAX = 30_000
/** For the way to the server, and for `expires_in` being in whole seconds. */
const HARD_MS_MIN = 2_000
const JITTER_SHARE = 0.25

/**
 * Fractions of the life, so that a token of any length caches: 60 s are renewed after 45 to 48 s and end after 57 s; 300 s after 225 to
 * 240; an hour after 53 min 45 s to 55 min. The random part keeps tokens that came together from being renewed together.
 *
 * @param random in [0, 1)
 */
export function windowsOf(lifeMs: number, random: number): Windows {
  // A very short life has no room for the least windows: half of it still caches.
  const soft = clamp(SOFT_SHARE * lifeMs, Math.min(SOFT_MS_MIN, lifeMs / 2), SOFT_MS_MAX)
  const hard = clamp(HARD_SHARE * lifeMs, Math.min(HARD_MS_MIN, lifeMs / 4), HARD_MS_MAX)
  return { softMs: lifeMs - soft * (1 + JITTER_SHARE * random), hardMs: lifeMs - hard }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most)
}

/** Full jitter: anything up to `baseMs`, doubled for each failure before, at most `capMs`. */
export function backOffMs(failures: number, { baseMs, capMs, random }: { baseMs: number; capMs: number; random: number }): number {
  return random * Math.min(capMs, baseMs * 2 ** Math.min(failures, 30))
}

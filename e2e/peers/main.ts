import { engines } from './support/metered-engine.ts'

// Installs what the suites in this folder need: minutes the first time, nothing after that. Each suite does it by itself too, but
// a test file may not take that long. What cannot be had is said, and is no failure: the suite that needs it is skipped by name.

const available = await engines()
if (available.skip !== false) console.error(available.skip)

import { writeSync } from 'node:fs'
import { basename } from 'node:path'

// Preloaded into every test file. A test that takes too long is named by node:test; what this catches is a file whose tests are
// done, or were never reached, but which something keeps alive: it would hang for ever and say nothing.

/** The longest that one file may take. A file that needs more tests too much in one go. */
const FILE_SECONDS_MAX = 300

const timer = setTimeout(() => {
  const resources = process.getActiveResourcesInfo().join(', ')
  writeSync(2, `${basename(process.argv[1] ?? '')} is still alive after ${FILE_SECONDS_MAX} s; what keeps it so: ${resources}\n`)
  process.kill(process.pid, 'SIGKILL')
}, FILE_SECONDS_MAX * 1000)
timer.unref()

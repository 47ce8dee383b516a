#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

// Halves the time to the first line of output: what Node has compiled once it takes from here. In a folder of this user alone,
// not in the shared temporary folder that is Node's default: what is in it will be run. Where it cannot be made, nothing is lost.
enableCompileCache(join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'ascribe', 'compiled'))

// Only now, so that the cache serves all of it.
const { runProgram } = await import('./program.ts')
const { watchReader } = await import('./watch-reader.ts')

const { stdin, stdout, stderr, env } = process
const reader = watchReader(stdout, stderr)
const exitCode = await runProgram(process.argv.slice(2), { stdin, stdout, stderr, env })
process.exitCode = reader.fault === undefined ? exitCode : reader.exitCode

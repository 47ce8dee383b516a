import { buildConsole, buildMocked } from './build-console.ts'

// `node apps/console/build/main.ts`: builds the console unless what is there was built from the same bytes; prints its folder.
// `node apps/console/build/main.ts --mocked DIR`: builds it with the mocks of developers into that folder.
const [flag, dir] = process.argv.slice(2)
if (flag === '--mocked' && dir !== undefined) await buildMocked(dir)
else process.stdout.write(`${await buildConsole()}\n`)

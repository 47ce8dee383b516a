import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { errorCode } from '@ascribe/kit'
import { readDeploymentList } from '@ascribe/identity'
import type { DeploymentList } from '@ascribe/identity'

/** The last directory that this machine could use, on its disk. */
export type LastGood = {
  /** `undefined`: there is none that can be read. */
  read(): DeploymentList | undefined
  /** Whole or not at all. @throws what the disk says */
  write(list: DeploymentList): void
}

export function lastGoodAt(path: string): LastGood {
  return {
    read() {
      try {
        return readDeploymentList(JSON.parse(readFileSync(path, 'utf8')))
      } catch (error) {
        if (errorCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined
        throw error
      }
    },
    write(list) {
      // Several gateways of a machine may write the same at once.
      const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
      try {
        writeFileSync(temporary, JSON.stringify(list), { flag: 'wx', mode: 0o600, flush: true })
        renameSync(temporary, path)
      } finally {
        rmSync(temporary, { force: true })
      }
    },
  }
}

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { errorCode } from '@ascribe/kit'

/**
 * Writes a price book and, beside it as `FILE.version`, its version: the book first, so that a version never stands beside a book that it
 * is not of; each whole or not at all, whenever the machine stops. Gives whether anything was new.
 */
export function installPrices(file: string, { text, version }: { readonly text: string; readonly version: string }): boolean {
  const sidecar = `${file}.version`
  if (readText(file) === text && readText(sidecar) === `${version}\n`) return false
  writeWhole(file, text)
  writeWhole(sidecar, `${version}\n`)
  return true
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

function writeWhole(file: string, text: string): void {
  const temporary = `${file}.tmp`
  rmSync(temporary, { force: true })
  withFile(openSync(temporary, 'wx', 0o644), (fd) => {
    writeFileSync(fd, text)
    fsyncSync(fd)
  })
  renameSync(temporary, file)
  withFile(openSync(dirname(file), 'r'), fsyncSync)
}

function withFile(fd: number, work: (fd: number) => void): void {
  try {
    work(fd)
  } finally {
    closeSync(fd)
  }
}

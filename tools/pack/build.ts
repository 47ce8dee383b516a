import { execFile } from 'node:child_process'
import { chmod, copyFile, glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { parseSource } from '../tidy/source.ts'
import { readTree } from '../tidy/tree.ts'
import { collectBundle, rewriteSpecifiers } from './bundle.ts'
import type { Bundle } from './bundle.ts'

const run = promisify(execFile)

/**
 * Builds `dist/` of a workspace: itself and every workspace that it reaches, as JavaScript and declarations, laid out as in the
 * repository, so that whatever code finds relative to its own file it finds there too. Node does not strip types below
 * `node_modules`, hence the JavaScript; types are blanked out in place, so that a stack trace names the line that was written.
 */
export async function buildPackage(root: string, entryDir: string): Promise<Bundle> {
  const tree = readTree(root)
  const bundle = collectBundle(tree, entryDir)
  const out = join(root, entryDir, 'dist')
  await rm(out, { recursive: true, force: true })

  const packed = new Set(bundle.sources.map(({ path }) => path))
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(out, path)), { recursive: true })
    await writeFile(join(out, path), text)
  }
  for (const { path, text } of bundle.sources) {
    const stripped = parseSource(path, stripTypeScriptTypes(text, { mode: 'strip' }))
    await write(path.replace(/\.ts$/, '.js'), rewriteSpecifiers(stripped, bundle, packed))
  }
  for (const path of bundle.assets) await write(path, tree.files.get(path) ?? '')
  for (const { dir, name, manifest } of bundle.workspaces) {
    await write(`${dir}/package.json`, `${JSON.stringify({ name, version: manifest.version, private: true, type: 'module' })}\n`)
  }

  await emitDeclarations(root, out, bundle)
  for await (const path of glob('**/*.d.ts', { cwd: out })) {
    const declaration = parseSource(path.replaceAll('\\', '/'), await readFile(join(out, path), 'utf8'))
    await writeFile(join(out, path), rewriteSpecifiers(declaration, bundle, packed))
  }

  await writeLauncher(root, entryDir, out)
  return bundle
}

/** Declarations come from the checker. It does not check here: that is `npm run check`, and every export states its type. */
async function emitDeclarations(root: string, out: string, bundle: Bundle): Promise<void> {
  const config = join(out, 'tsconfig.json')
  const compilerOptions = {
    noEmit: false,
    emitDeclarationOnly: true,
    noCheck: true,
    isolatedDeclarations: false,
    rootDir: root,
    outDir: out,
  }
  const files = bundle.sources.map(({ path }) => join(root, path))
  await writeFile(config, JSON.stringify({ extends: join(root, 'tsconfig.base.json'), compilerOptions, files }))
  const tsc = join(import.meta.dirname, '..', '..', 'node_modules', '.bin', 'tsc')
  await run(tsc, ['-p', config, '--pretty', 'false']).catch((cause: { stdout?: string }) => {
    throw new Error(`Cannot emit declarations:\n${cause.stdout ?? ''}`)
  })
  await rm(config)
}

/** The command itself, where there is one: says which Node it needs before anything that an older one cannot load. */
async function writeLauncher(root: string, entryDir: string, out: string): Promise<void> {
  await copyFile(join(root, 'LICENSE'), join(out, 'LICENSE')).catch(() => undefined)
  const manifest = JSON.parse(await readFile(join(root, entryDir, 'package.json'), 'utf8')) as { bin?: object; engines?: { node?: string } }
  const { bin, engines } = manifest
  if (bin === undefined) return
  const major = /\d+/.exec(engines?.node ?? '')?.[0]
  if (major === undefined) throw new Error(`Cannot pack ${entryDir}: its package.json names no engines.node`)
  const launcher = join(out, 'ascribe.js')
  await writeFile(
    launcher,
    [
      '#!/usr/bin/env node',
      `if (Number.parseInt(process.versions.node, 10) >= ${major}) await import('./${entryDir}/src/main.js')`,
      'else {',
      `  process.stderr.write(\`Cannot run ascribe: it needs Node ${major} or newer, this is \${process.version}\\n\`)`,
      '  process.exitCode = 1',
      '}',
      '',
    ].join('\n'),
  )
  await chmod(launcher, 0o755)
}

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { temporaryRoot } from './kit.ts'

const canMount = process.platform === 'linux' && process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0
const SKIP = canMount ? false : 'mounting a small disk takes Linux, root and unshare -m'

test(
  'intend() on a disk that is really full is refused, open intents settle, and it goes on once there is space (I6)',
  { skip: SKIP },
  async () => {
    await using place = await temporaryRoot()
    const disk = join(await realpath(place.data), 'disk')
    await mkdir(disk)
    // A mount of its own namespace: it goes with the process. 200 KiB are ballast, deleted later to make space.
    const script = `mount -t tmpfs -o size=600k tmpfs "$1" && head -c 200000 /dev/zero > "$1/ballast" && exec "$2" "$3" "$1/journal" fill 131072`
    const writer = spawn(
      'unshare',
      ['-m', 'sh', '-c', script, 'sh', disk, process.execPath, join(import.meta.dirname, 'child-writer.ts')],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    )
    const lines: string[] = []
    for await (const line of createInterface({ input: writer.stdout })) {
      lines.push(line)
      if (!line.startsWith('state ')) continue
      // The disk is in the writer's namespace, so the ballast is removed from there.
      assert.ok(writer.pid)
      const removed = spawnSync('nsenter', ['-t', String(writer.pid), '-m', 'rm', join(disk, 'ballast')])
      assert.equal(removed.status, 0, String(removed.stderr))
      writer.stdin.write('go\n')
    }
    const count = (prefix: string): number => lines.filter((line) => line.startsWith(prefix)).length
    assert.ok(lines.includes('refused JOURNAL_FULL'), lines.join('\n'))
    assert.ok(lines.includes('state open'))
    assert.ok(count('i ') > 10)
    assert.equal(count('s '), count('i '), 'every admitted intent was settled')
    assert.equal(lines.at(-1), 'done', 'and one more after there was space')
  },
)

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  addDays,
  daysBetween,
  daysOfRange,
  formatAgo,
  formatDayLong,
  formatInstantLong,
  formatMonth,
  formatRange,
  formatTime,
  formatTimeExact,
  monthRange,
  parseDay,
} from './dates.ts'

test('formatRange() names each part of a date as often as it must', () => {
  assert.equal(formatRange('2026-11-01', '2026-11-30'), '1 – 30 Nov 2026 (UTC)')
  assert.equal(formatRange('2026-10-28', '2026-11-03'), '28 Oct – 3 Nov 2026 (UTC)')
  assert.equal(formatRange('2025-12-28', '2026-01-03'), '28 Dec 2025 – 3 Jan 2026 (UTC)')
  assert.equal(formatRange('2026-11-22', '2026-11-22'), '22 Nov 2026 (UTC)')
  assert.equal(formatDayLong('2026-11-14'), 'Sat 14 Nov 2026 (UTC)')
  assert.equal(formatMonth('2026-11'), 'Nov 2026')
  assert.equal(formatTime('2026-11-22T14:05:59.123Z'), '14:05 UTC')
  assert.equal(formatInstantLong('2026-11-22T14:05:00Z'), '22 Nov 2026, 14:05 UTC')
  assert.equal(formatTimeExact(Date.UTC(2026, 10, 14, 14, 3, 22, 114)), '14:03:22.114')
  assert.equal(formatAgo('2026-11-22T14:03:00Z', Date.UTC(2026, 10, 22, 14, 5, 30)), '2 min ago')
})

test('daysOfRange() has each day once, over leap years and the ends of daylight saving', () => {
  const day = fc.integer({ min: 0, max: 60_000 }).map((count) => addDays('1970-01-01', count))
  fc.assert(
    fc.property(day, fc.integer({ min: 0, max: 400 }), (from, count) => {
      const days = daysOfRange(from, addDays(from, count))
      assert.equal(days.length, count + 1)
      assert.equal(new Set(days).size, days.length)
      assert.equal(daysBetween(from, days.at(-1) ?? ''), count + 1)
      const month = monthRange(from)
      assert.ok(month.from <= from && from <= month.to && month.from.endsWith('-01') && addDays(month.to, 1).endsWith('-01'))
    }),
  )
  assert.equal(parseDay('2026-02-30'), undefined)
  assert.equal(parseDay('2026-11-22T00:00:00Z'), undefined)
})

test('the days and times that are shown are the same in four time zones', () => {
  const script = `
    import * as dates from ${JSON.stringify(new URL('dates.ts', import.meta.url).href)}
    console.log(JSON.stringify([
      dates.formatRange('2026-03-28', '2026-03-30'), dates.daysOfRange('2026-03-28', '2026-03-30'), dates.daysOfRange('2026-10-31', '2026-11-02'),
      dates.formatTime('2026-11-22T00:05:00Z'), dates.dayOfInstant(Date.UTC(2026, 10, 22)), dates.formatDayLong('2026-11-22'),
      dates.monthRange('2026-11-01'),
    ]))`
  const seen = ['UTC', 'America/Los_Angeles', 'Pacific/Kiritimati', 'Asia/Kolkata'].map((TZ) =>
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { env: { TZ } }).toString(),
  )
  assert.equal(new Set(seen).size, 1)
  assert.match(seen[0] ?? '', /"22 Nov 2026|Sun 22 Nov 2026/)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  encodeFrame,
  encodeHeader,
  encodeVoid,
  FRAME_BYTES,
  type FrameKind,
  frameEventId,
  frameKind,
  framePayload,
  HEADER_BYTES,
  NO_EVENT_ID,
  seedOf,
} from './frame.ts'
import { scanSegment } from './scan.ts'

const SEGMENT = { writer: 'w', sequence: 7 }
const idOf = (index: number): string => NO_EVENT_ID.slice(0, -4) + String(index).padStart(4, '0')

type Frame = { readonly kind: FrameKind; readonly payload: string }

function segmentOf(frames: readonly Frame[], zeros = 0): { readonly buffer: Buffer; readonly ends: number[] } {
  const buffer = Buffer.alloc(HEADER_BYTES + frames.reduce((sum, frame) => sum + FRAME_BYTES + Buffer.byteLength(frame.payload), 0) + zeros)
  encodeHeader(buffer, { ...SEGMENT, createdAt: 1 })
  const ends: number[] = []
  let at = HEADER_BYTES
  frames.forEach((frame, index) => {
    at = encodeFrame(buffer, at, { ...frame, eventId: idOf(index), writtenAt: index }, seedOf('w', 7))
    ends.push(at)
  })
  return { buffer, ends }
}

function entriesOf(buffer: Buffer): string[] {
  const entries: string[] = []
  scanSegment(buffer, SEGMENT, (bytes, at, end) =>
    entries.push(`${frameKind(bytes, at)} ${frameEventId(bytes, at)} ${framePayload(bytes, at, end)}`),
  )
  return entries
}

const entry = fc.record({ kind: fc.constantFrom<FrameKind>('intent', 'settlement'), payload: fc.string({ unit: 'binary', maxLength: 60 }) })
const SEAL: Frame = { kind: 'seal', payload: '{}' }
const FRAMES: Frame[] = [
  { kind: 'intent', payload: 'grüße 🦊' },
  { kind: 'settlement', payload: '' },
  { kind: 'intent', payload: 'x'.repeat(90) },
]

test('scanSegment() gives back any frames that were written', () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 20 }), fc.boolean(), fc.nat({ max: 9000 }), (frames, sealed, zeros) => {
      const { buffer, ends } = segmentOf(sealed ? [...frames, SEAL] : frames, zeros)
      const scan = scanSegment(buffer, SEGMENT)
      assert.deepEqual(
        { ...scan },
        { end: ends.at(-1) ?? HEADER_BYTES, sealed, entries: frames.length, gaps: [], voidBytes: 0, tornBytes: 0, headerFault: undefined },
      )
      assert.deepEqual(
        entriesOf(buffer),
        frames.map((frame, index) => `${frame.kind} ${idOf(index)} ${frame.payload.toWellFormed()}`),
      )
    }),
  )
})

test('scanSegment() of every cut gives the frames before it and takes the rest for a torn tail (I4)', () => {
  const { buffer, ends } = segmentOf(FRAMES)
  for (let cut = HEADER_BYTES; cut <= buffer.length; cut += 1) {
    for (const cutBuffer of [buffer.subarray(0, cut), Buffer.concat([buffer.subarray(0, cut), Buffer.alloc(5000)])]) {
      const scan = scanSegment(cutBuffer, SEGMENT)
      assert.equal(scan.entries, ends.filter((end) => end <= cut).length)
      assert.deepEqual([scan.gaps, scan.sealed], [[], false])
      assert.equal(scan.tornBytes > 0, !ends.includes(cut) && cut !== HEADER_BYTES, `cut at ${cut}`)
    }
  }
})

test('scanSegment() of every changed byte gives only true frames, and shows the change (I4)', () => {
  const { buffer, ends } = segmentOf([...FRAMES, SEAL])
  const truth = entriesOf(buffer)
  for (let at = 0; at < buffer.length; at += 1) {
    for (const bits of [1, 0x80, 0xff]) {
      const changed = Buffer.from(buffer)
      changed.writeUInt8(changed.readUInt8(at) ^ bits, at)
      const scan = scanSegment(changed, SEGMENT)
      const entries = entriesOf(changed)
      assert.ok(entries.every((each) => truth.includes(each)))
      const hit = ends.findIndex((end) => at < end)
      if (at < HEADER_BYTES) assert.ok(scan.headerFault !== undefined && entries.length === 3)
      else if (hit === ends.length - 1) assert.ok(!scan.sealed && scan.tornBytes > 0, `the seal at ${at}`)
      else assert.ok(scan.sealed && scan.gaps.length === 1 && entries.length === 2, `byte ${at}`)
    }
  }
})

test('scanSegment() takes no frame of another segment or writer for its own', () => {
  const { buffer } = segmentOf(FRAMES)
  for (const other of [
    { writer: 'w', sequence: 8 },
    { writer: 'v', sequence: 7 },
  ]) {
    const scan = scanSegment(buffer, other)
    assert.deepEqual([scan.entries, scan.end], [0, HEADER_BYTES])
    assert.match(scan.headerFault ?? '', /segment 7 of writer w/)
  }
})

test('scanSegment() takes nothing in a payload for a frame, whoever wrote it', () => {
  const inner = segmentOf(FRAMES).buffer.subarray(HEADER_BYTES)
  // As text its magic is gone, for 0xff and 0xfe are in no UTF-8.
  const { buffer } = segmentOf([
    { kind: 'intent', payload: inner.toString('latin1') },
    { kind: 'intent', payload: inner.toString('utf8') },
    SEAL,
  ])
  buffer.writeUInt8(0, HEADER_BYTES)
  assert.equal(entriesOf(buffer).length, 1)
})

test('encodeVoid() fills any range from one frame up, over more than one frame if need be', () => {
  const MIB = 1 << 20
  for (const length of [
    FRAME_BYTES,
    FRAME_BYTES + 1,
    MIB,
    MIB + FRAME_BYTES - 1,
    MIB + FRAME_BYTES,
    MIB + FRAME_BYTES + 1,
    2 * MIB,
    3 * MIB + 59,
  ]) {
    const buffer = Buffer.alloc(HEADER_BYTES + length)
    encodeHeader(buffer, { ...SEGMENT, createdAt: 1 })
    encodeVoid(buffer, HEADER_BYTES, length, seedOf('w', 7))
    const scan = scanSegment(buffer, SEGMENT)
    assert.deepEqual([scan.end, scan.voidBytes, scan.gaps, scan.entries], [buffer.length, length, [], 0], `${length} bytes`)
  }
})

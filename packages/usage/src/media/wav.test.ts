import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wavMs } from './wav.ts'

type Wav = { readonly frame?: number; readonly dataSize?: number; readonly data?: number; readonly more?: Buffer }

/** 16 kHz, one channel, 16 bits: 32 bytes a millisecond. */
function wav({ frame = 2, data = 3200, dataSize = data, more = Buffer.alloc(0) }: Wav = {}): Buffer {
  const head = Buffer.alloc(44)
  head.write('RIFF\0\0\0\0WAVEfmt ', 'latin1')
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(1, 22)
  head.writeUInt32LE(16_000, 24)
  head.writeUInt32LE(32_000, 28)
  head.writeUInt16LE(frame, 32)
  head.writeUInt16LE(16, 34)
  head.write('data', 36, 'latin1')
  head.writeUInt32LE(dataSize, 40)
  return Buffer.concat([head, Buffer.alloc(data), more])
}

const msOf = (bytes: Buffer): number | undefined => wavMs(bytes, 0, bytes.length)

test('wavMs() gives the time of plain PCM, and no more than the bytes hold', () => {
  assert.equal(msOf(wav()), 100)
  assert.equal(msOf(wav({ dataSize: 0xffffffff })), 100)
  assert.equal(msOf(Buffer.from('ID3')), undefined)
})

test('sound is never shorter than what a decoder plays of it, whatever its header says', () => {
  assert.equal(msOf(wav({ dataSize: 0 })), 100, 'no size: to the end')
  const chunk = Buffer.from('data\x80\x0c\0\0', 'latin1')
  assert.equal(msOf(wav({ data: 32, more: Buffer.concat([chunk, Buffer.alloc(3200)]) })), 101, 'a second chunk of data')
  assert.equal(msOf(wav({ frame: 65_535 })), undefined, 'frames larger than their samples')
  const twice = wav({ more: wav().subarray(12, 36) })
  assert.equal(msOf(twice), undefined, 'two formats')
})

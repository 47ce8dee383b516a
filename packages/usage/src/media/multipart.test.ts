import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { RequestFacts, RequestScan } from '../request-scan.ts'
import { scanMultipart } from './multipart.ts'

const TYPE = 'multipart/form-data; boundary=b0undary'

const field = (name: string, value: string, more = ''): string =>
  `--b0undary\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`
const FILE = field('file', 'RIFFsound', '; filename="speech.wav"\r\nContent-Type: audio/wav')
const END = '--b0undary--\r\n'

function scan(
  body: string | Buffer,
  contentType: string | undefined = TYPE,
  api: 'transcriptions' | 'images' = 'transcriptions',
): RequestScan {
  return scanMultipart(Buffer.from(body), api, contentType)
}

function facts(body: string | Buffer, api?: 'transcriptions' | 'images'): RequestFacts {
  const found = scan(body, TYPE, api)
  if (found.kind === 'invalid') assert.fail(found.message)
  return found
}

test('scanMultipart() finds the model, the file and whether it streams', () => {
  const found = facts(field('model', 'whisper-1') + FILE + field('stream', 'true') + field('prompt', 'abcd') + END)
  assert.deepEqual(
    [found.model, found.streams, found.promptBytes, found.media],
    ['whisper-1', true, 4, { model: 'whisper-1', audioBytes: 9 }],
  )
})

test('scanMultipart() counts the images that are wanted, and those that come along', () => {
  const image = (name: string): string => field(name, '\x89PNG', '; filename="a.png"')
  const { media } = facts(field('n', '3') + image('image[]') + image('image[]') + field('prompt', 'x') + END, 'images')
  assert.deepEqual(media, { images: 3, inputImages: 2 })
  assert.deepEqual(facts(image('image') + END, 'images').media, { images: 1, inputImages: 1 })
})

test('scanMultipart() says which member makes an amount that nobody has bounded', () => {
  assert.equal(facts(field('num_images', '4') + END, 'images').unboundedBy, 'num_images')
})

for (const [stream, streams] of [
  ['true', true],
  ['True', true],
  ['1', true],
  ['yes', true],
  ['false', false],
  ['0', false],
  ['', false],
] as const) {
  test(`scanMultipart() takes stream=${JSON.stringify(stream)} for ${streams}`, () => {
    assert.equal(facts(field('stream', stream) + FILE + END).streams, streams)
  })
}

/** Each of these is read in one way by some parsers, and in another by others. */
const TRICKS: Readonly<Record<string, string>> = {
  'model twice': field('model', 'dear') + field('model', 'cheap') + FILE + END,
  'model in another case': field('model', 'dear') + field('Model', 'cheap') + FILE + END,
  'model as a list': field('model[]', 'cheap') + FILE + END,
  'model as an element': field('model[0]', 'cheap') + FILE + END,
  'model as a file': field('model', 'cheap', '; filename="x"') + FILE + END,
  'model as a file by an encoded name': field('model', 'cheap', "; filename*=utf-8''x") + FILE + END,
  'a name that comes twice': field('x', 'cheap', '; name="model"') + FILE + END,
  'an encoded name': field('x', 'cheap', "; name*=utf-8''model") + FILE + END,
  'an escaped name': field('mod\\"el', 'cheap') + FILE + END,
  'two dispositions': field('x', 'cheap', '\r\nContent-Disposition: form-data; name="model"') + FILE + END,
  'a disposition that is folded': field('x', 'cheap', ';\r\n name="model"') + FILE + END,
  'a disposition that is no form-data': '--b0undary\r\nContent-Disposition: attachment; name="model"\r\n\r\nx\r\n' + FILE + END,
  'no disposition': '--b0undary\r\nContent-Type: text/plain\r\n\r\nx\r\n' + FILE + END,
  'an encoding': field('model', 'Y2hlYXA=', '\r\nContent-Transfer-Encoding: base64') + FILE + END,
  'another character set': field('model', 'x', '\r\nContent-Type: text/plain; charset=utf-16') + FILE + END,
  'a character set for all': field('_charset_', 'utf-16') + FILE + END,
  'a form in a form': field('x', 'y', '\r\nContent-Type: multipart/mixed; boundary=c') + FILE + END,
  'a head that ends in LF': '--b0undary\r\nContent-Disposition: form-data; name="model"\n\ncheap\r\n' + FILE + END,
  'a boundary after a bare LF': field('x', 'y\n--b0undary\nContent-Disposition: form-data; name="model"\n\ncheap') + FILE + END,
  'a boundary after a bare LF, with a good head': field('x', `y\n${field('model', 'cheap').slice(0, -2)}`) + FILE + END,
  'a boundary after a bare CR, with a good head': field('x', `y\r${field('model', 'cheap').slice(0, -2)}`) + FILE + END,
  'a boundary in the middle of a line, with a good head': field('x', `y${field('model', 'cheap').slice(0, -2)}`) + FILE + END,
  'a boundary in the middle of a line': field('x', 'y--b0undary') + FILE + END,
  'a boundary that goes on': FILE + '--b0undaryx\r\n\r\n\r\n' + END,
  'blanks after a boundary': FILE + '--b0undary \r\nContent-Disposition: form-data; name="model"\r\n\r\nx\r\n' + END,
  'a preamble': 'hello\r\n' + FILE + END,
  'an empty line before it': '\r\n' + FILE + END,
  'an epilogue': FILE + END + field('model', 'cheap'),
  'no end': FILE,
  'no parts but an end without a file': END,
  'a file twice': FILE + FILE + END,
  'a file in another case': field('File', 'sound', '; filename="a"') + FILE + END,
  'a model that is too long': field('model', 'x'.repeat(1025)) + FILE + END,
  'a head that is too long': field('x', 'y', `; filename="${'a'.repeat(9000)}"`) + FILE + END,
  'too many parts': field('x', 'y').repeat(128) + FILE + END,
}

for (const [what, body] of Object.entries(TRICKS)) {
  test(`scanMultipart() refuses ${what}`, () => {
    const found = scan(body)
    assert.equal(found.kind, 'invalid', JSON.stringify(found))
  })
}

for (const contentType of [
  undefined,
  'multipart/form-data',
  'multipart/form-data; boundary=',
  'multipart/form-data; boundary=""',
  'multipart/mixed; boundary=b0undary',
  'application/json',
  'multipart/form-data; boundary=b0undary; boundary=other',
  'multipart/form-data; boundary=other; Boundary=b0undary',
  "multipart/form-data; boundary*=utf-8''b0undary",
  'multipart/form-data; boundary="b0un\\dary"',
  'multipart/form-data; boundary=b0undary; charset=utf-16',
  `multipart/form-data; boundary=${'b'.repeat(71)}`,
  'multipart/form-data; boundary=b0undary, multipart/form-data; boundary=other',
]) {
  test(`scanMultipart() refuses the content type ${JSON.stringify(contentType)}`, () => {
    assert.equal(scanMultipart(Buffer.from(FILE + END), 'transcriptions', contentType).kind, 'invalid')
  })
}

for (const contentType of ['Multipart/Form-Data;boundary="b0undary"', 'multipart/form-data; charset=UTF-8; boundary=b0undary;']) {
  test(`scanMultipart() takes the content type ${JSON.stringify(contentType)}`, () => {
    assert.equal(scan(FILE + END, contentType).kind, 'request')
  })
}

test('scanMultipart() reads what the runtime writes, whatever is in it, as the runtime reads it', async () => {
  const name = fc.constantFrom('model', 'prompt', 'language', 'temperature', 'response_format', 'x', 'ü "quoted"\r\n')
  const entry = fc.tuple(name, fc.string({ unit: 'binary', maxLength: 40 }))
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(entry, { selector: ([key]) => key, maxLength: 6 }),
      fc.uint8Array({ maxLength: 400 }),
      async (entries, bytes) => {
        const form = new FormData()
        for (const [key, value] of entries) form.append(key, value)
        form.append('file', new Blob([bytes]), 'ü.wav')
        const request = new Request('http://x', { method: 'POST', body: form })
        const contentType = request.headers.get('content-type') ?? ''
        const body = Buffer.from(await request.arrayBuffer())
        const found = scanMultipart(body, 'transcriptions', contentType)
        assert.equal(found.kind, 'request', found.kind === 'invalid' ? found.message : '')
        const read = await new Response(body, { headers: { 'content-type': contentType } }).formData()
        assert.equal(found.kind === 'request' ? (found.model ?? '') : '', read.get('model') ?? '')
        assert.equal(found.kind === 'request' && found.media?.audioBytes, bytes.length)
      },
    ),
  )
})

test('scanMultipart() never throws, and takes no form that has been cut or changed for the whole one', () => {
  const whole = Buffer.from(field('model', 'dear') + FILE + END)
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.uint8Array({ maxLength: 12 }), fc.nat(12), (at, insert, cut) => {
      const bytes = Buffer.concat([whole.subarray(0, at), insert, whole.subarray(Math.min(whole.length, at + cut))])
      const found = scanMultipart(bytes, 'transcriptions', TYPE)
      if (found.kind === 'request') assert.ok(bytes.includes('name="file"') && bytes.includes('--b0undary--'))
    }),
    { numRuns: 2000 },
  )
})

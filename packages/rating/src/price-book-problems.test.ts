import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InputError } from '@ascribe/kit'
import { PriceBookError } from './errors.ts'
import { parsePriceBook } from './parse-price-book.ts'

function refusal(text: string): PriceBookError {
  try {
    parsePriceBook(text, { file: 'dir/prices.yaml' })
  } catch (thrown) {
    assert.ok(thrown instanceof PriceBookError, String(thrown))
    return thrown
  }
  return assert.fail(`accepted:\n${text}`)
}

/** A book without faults, one fault a test put into it. Line 3 holds the model, lines 4 to 6 its rates. */
const GOOD = `version: 1
base_models:
  "org/model":
    prompt: "0.0000002"
    cached: "0.00000005"
    completion: "0.0000006"
fine_tune_premium:
  policy: multiplier
  factor: "1.5"
fine_tunes:
  "ft:1":
    derived_from: "org/model"
gpu_floor_rates:
  "A100": "0"
`

type Fault = {
  readonly name: string
  readonly from: string
  readonly to: string
  /** `line:column: message; hint` of every problem. */
  readonly says: readonly RegExp[]
}

const FAULTS: readonly Fault[] = [
  { name: 'another version', from: 'version: 1', to: 'version: 2', says: [/^1:10: version is not the number 1; write "version: 1"/] },
  { name: 'a quoted version', from: 'version: 1', to: 'version: "1"', says: [/^1:10: version is not the number 1/] },
  { name: 'no version', from: 'version: 1', to: 'currency: EUR', says: [/^1:1: version is missing; add the line "version: 1"/] },
  {
    name: 'an unknown key at the top',
    from: 'gpu_floor_rates',
    to: 'gpu_flor_rates',
    says: [/^13:1: unknown key "gpu_flor_rates" in the file; did you mean "gpu_floor_rates"\?/],
  },
  {
    name: 'an unknown key that is like none',
    from: 'version: 1',
    to: 'version: 1\nzzz: 1',
    says: [/^2:1: unknown key "zzz" in the file; use one of version, currency, per, base_models,/],
  },
  {
    name: 'a slip in a key of a model',
    from: 'prompt:',
    to: 'promt:',
    says: [/^3:3: base_models\."org\/model" has no prompt rate; add prompt:/, /^4:5: unknown key "promt" .*; did you mean "prompt"\?/],
  },
  {
    name: 'the name of a meter for its key',
    from: 'completion: "0.0000006"',
    to: 'completion: "0.0000006"\n    output_tokens: "1"',
    says: [/^7:5: unknown key "output_tokens" .*; the rate of output_tokens is called completion here/],
  },
  {
    name: 'another meter outside meters',
    from: 'completion: "0.0000006"',
    to: 'completion: "0.0000006"\n    requests: "1"',
    says: [/^7:5: unknown key "requests" .*; a rate of another meter goes under meters: \{ requests: … \}/],
  },
  {
    name: 'a missing rate',
    from: '    cached: "0.00000005"\n',
    to: '',
    says: [/^3:3: .* has no cached rate; add cached: .* "0" makes it free/],
  },
  {
    name: 'a model without rates',
    from: 'version: 1\nbase_models:',
    to: 'version: 1\nbase_models:\n  empty:',
    says: [/^3:3: .* no prompt rate/, /^3:3: .* no cached rate/, /^3:3: .* no completion rate/],
  },
  {
    name: 'a rate that is not quoted',
    from: '"0.0000002"',
    to: '0.0000002',
    says: [
      /^4:13: base_models\."org\/model"\.prompt is the number 0\.0000002, which a YAML reader may round; put it in quotes: "0\.0000002"/,
    ],
  },
  {
    name: 'a rate that is a list',
    from: '"0.0000002"',
    to: '["1"]',
    says: [/^4:13: .*prompt is not a quoted decimal; write a decimal in quotes/],
  },
  { name: 'a rate that is left empty', from: '"0.0000002"', to: '', says: [/^4:13: .*prompt is not a quoted decimal/] },
  { name: 'an exponent', from: '"0.0000002"', to: '"2e-7"', says: [/^4:13: .*prompt "2e-7" is not a plain decimal; .*no exponent/] },
  { name: 'words', from: '"0.0000002"', to: '"free"', says: [/^4:13: .*prompt "free" is not a plain decimal/] },
  {
    name: 'a negative rate',
    from: '"0.0000002"',
    to: '"-0.0000002"',
    says: [/^4:13: .*prompt "-0\.0000002" is negative; write 0 or more/],
  },
  {
    name: 'a nineteenth place',
    from: '"0.0000002"',
    to: '"0.0000000000000000001"',
    says: [/^4:13: .*prompt "0\.0000000000000000001" has more than 18 decimal places a unit; rates are never rounded/],
  },
  {
    name: 'a thirteenth place a million',
    from: 'prompt: "0.0000002"',
    to: 'per: million\n    prompt: "0.0000000000001"',
    says: [/^5:13: .*prompt "0\.0000000000001" has more than 12 decimal places per 1000000/],
  },
  {
    name: 'a rate beyond any price',
    from: '"0.0000002"',
    to: '"1000000000000"',
    says: [/^4:13: .*is larger than any price; write a rate below/],
  },
  { name: 'a rate of a hundred digits', from: '"0.0000002"', to: `"${'1'.repeat(100)}"`, says: [/^4:13: .*is larger than any price/] },
  {
    name: 'an amount beyond what a line can say',
    from: 'version: 1',
    to: 'version: 1\nminimums: [{ amount: "1000000000000000000" }]',
    says: [/^2:22: .*is larger than any amount; write less than 1000000000000000000/],
  },
  {
    name: 'an unknown unit',
    from: 'version: 1',
    to: 'version: 1\nper: hundred',
    says: [/^2:6: per is none .*; write unit, thousand or million/],
  },
  { name: 'a currency in lower case', from: 'version: 1', to: 'version: 1\ncurrency: eur', says: [/^2:11: currency "eur" .*; write EUR/] },
  {
    name: 'a currency that is none',
    from: 'version: 1',
    to: 'version: 1\ncurrency: €',
    says: [/^2:11: currency "€" .*; write a code of three capitals/],
  },
  {
    name: 'a fine-tune among the base models',
    from: '"org/model":\n',
    to: '"ft:0": { }\n  "org/model":\n',
    says: [/^3:3: "ft:0" is the id of a fine-tune, not of a base model; move it to fine_tunes/],
  },
  {
    name: 'a model twice',
    from: 'fine_tune_premium:',
    to: '  "org/model": { prompt: "1", cached: "1", completion: "1" }\nfine_tune_premium:',
    says: [/^7:3: duplicate key "org\/model" in base_models, first on line 3; keep one of the two/],
  },
  {
    name: 'a rate twice',
    from: '    cached:',
    to: '    prompt: "1"\n    cached:',
    says: [/^5:5: duplicate key "prompt" in base_models\."org\/model", first on line 4/],
  },
  {
    name: 'a key that is a number',
    from: '"org/model"',
    to: '123',
    says: [/^3:3: a key in base_models is not text; put the key in double quotes/, /^12:19: .*is not in base_models/],
  },
  {
    name: 'an unknown policy',
    from: 'multiplier',
    to: 'multiplyer',
    says: [/^8:11: .*policy "multiplyer" is not a policy; did you mean "multiplier"\?/],
  },
  {
    name: 'a policy without its parameter',
    from: '\n  factor: "1.5"',
    to: '',
    says: [/^7:1: .* has policy multiplier but no factor; add factor:/],
  },
  {
    name: 'both parameters',
    from: 'factor: "1.5"',
    to: 'factor: "1.5"\n  markup: "1"',
    says: [/^10:3: fine_tune_premium\.markup does not go with policy multiplier: it takes factor; remove markup/],
  },
  {
    name: 'identity with a parameter',
    from: 'multiplier',
    to: 'identity',
    says: [/^9:3: .*factor does not go with policy identity: it takes no parameter/],
  },
  {
    name: 'a parameter without a policy',
    from: '  policy: multiplier\n',
    to: '',
    says: [/^8:3: .*factor does not go with policy identity/],
  },
  { name: 'a negative factor', from: '"1.5"', to: '"-1.5"', says: [/^9:11: .*factor "-1\.5" is negative/] },
  {
    name: 'a factor that is not quoted',
    from: '"1.5"',
    to: '1.5',
    says: [/^9:11: .*factor is the number 1\.5.*; put it in quotes: "1\.5"/],
  },
  {
    name: 'a factor of 0',
    from: '"1.5"',
    to: '"0"',
    says: [/^9:11: fine_tune_premium makes the input_tokens rate of a fine-tune of "org\/model" \(line 3\) 0;/],
  },
  {
    name: 'a factor that needs a nineteenth place',
    from: '"1.5"',
    to: '"1.333333333333"',
    says: [/^9:11: fine_tune_premium makes .* \(line 3\) have more than 18 decimal places a unit; rates are never rounded/],
  },
  {
    name: 'a factor beyond any price',
    from: '"1.5"',
    to: `"${'9'.repeat(40)}"`,
    says: [/^9:11: fine_tune_premium makes .* larger than any price/],
  },
  {
    name: 'a fine-tune of a model that is not priced',
    from: 'derived_from: "org/model"',
    to: 'derived_from: "org/modle"',
    says: [/^12:19: fine_tunes\."ft:1"\.derived_from "org\/modle" is not in base_models; did you mean "org\/model"\?/],
  },
  {
    name: 'a fine-tune of a fine-tune',
    from: 'gpu_floor_rates:',
    to: '  "ft:2":\n    derived_from: "ft:1"\ngpu_floor_rates:',
    says: [/^14:19: fine_tunes\."ft:2"\.derived_from "ft:1" is a fine-tune: only one hop is allowed; derive it from the base model itself/],
  },
  {
    name: 'a fine-tune of a fine-tune with a rate of its own',
    from: 'gpu_floor_rates:',
    to: '  own: { rate: { prompt: "1", cached: "1", completion: "1" } }\n  "ft:2":\n    derived_from: own\ngpu_floor_rates:',
    says: [/^15:19: fine_tunes\."ft:2"\.derived_from "own" is a fine-tune: only one hop is allowed/],
  },
  {
    name: 'a fine-tune with a rate of its own of a model that is not priced',
    from: 'derived_from: "org/model"',
    to: 'derived_from: "gone"\n    rate: { prompt: "1", cached: "1", completion: "1" }',
    says: [/^12:19: .*derived_from "gone" is not in base_models; add that model to base_models/],
  },
  {
    name: 'a fine-tune without a price',
    from: '    derived_from: "org/model"\n',
    to: '',
    says: [/^11:3: fine_tunes\."ft:1" has no price; add derived_from:/],
  },
  {
    name: 'a fine-tune that is a base model',
    from: '"ft:1"',
    to: '"org/model"',
    says: [/^11:3: "org\/model" is in base_models too; keep one of the two/],
  },
  {
    name: 'an unknown key of a fine-tune',
    from: 'derived_from: "org/model"',
    to: 'derived_form: "org/model"',
    says: [/^11:3: .* has no price/, /^12:5: unknown key "derived_form" .*; did you mean "derived_from"\?/],
  },
  { name: 'a negative floor', from: '"A100": "0"', to: '"A100": "-1"', says: [/^14:11: gpu_floor_rates\."A100" "-1" is negative/] },
  {
    name: 'a section that is a list',
    from: '\n  "A100": "0"',
    to: ' ["A100"]',
    says: [/^13:18: gpu_floor_rates is not a mapping; write "key: value" lines/],
  },
  {
    name: 'a slip in the name of a meter',
    from: 'completion: "0.0000006"',
    to: 'completion: "0.0000006"\n    meters: { reasoning_token: "1" }',
    says: [/^7:15: unknown meter "reasoning_token"; did you mean "reasoning_tokens"\?/],
  },
  {
    name: 'a meter that has a rate already',
    from: 'completion: "0.0000006"',
    to: 'completion: "0.0000006"\n    meters: { input_tokens: "1" }',
    says: [/^7:15: .*"input_tokens" is priced by prompt already; keep one of the two/],
  },
  {
    name: 'a name that no meter has',
    from: 'completion: "0.0000006"',
    to: 'completion: "0.0000006"\n    meters: { "GPU hours": "1" }',
    says: [/^7:15: .*"GPU hours" is not the name of a meter; write lower-case letters/],
  },
  {
    name: 'an alias of nothing',
    from: '"A100": "0"',
    to: '"A100": *gone',
    says: [/^14:11: alias \*gone has no anchor before it; write &gone before/],
  },
  { name: 'a tag', from: '"A100": "0"', to: '"A100": !money "0"', says: [/^14:11: not YAML: Unresolved tag: !money; check quotes/] },
  {
    name: 'a quote that is never closed',
    from: '"1.5"',
    to: '"1.5',
    says: [/^\d+:\d+: not YAML: Missing closing "quote; check quotes, brackets and indentation/],
  },
  {
    name: 'a second document',
    from: 'gpu_floor_rates',
    to: '---\ngpu_floor_rates',
    says: [/^13:1: not YAML: Source contains multiple documents; check/],
  },
  {
    name: 'no models',
    from: GOOD,
    to: 'version: 1\nbase_models:\n',
    says: [/^2:1: base_models is empty, which prices nothing; add at least one model/],
  },
  { name: 'no section of models', from: GOOD, to: 'version: 1\n', says: [/^1:1: base_models is missing; add it/] },
  { name: 'models that are a list', from: GOOD, to: 'version: 1\nbase_models: [a]\n', says: [/^2:14: base_models is not a mapping/] },
  { name: 'nothing at all', from: GOOD, to: '', says: [/^1:1: the file is not a mapping; start it with "version: 1"/] },
  { name: 'a list', from: GOOD, to: '- 1\n', says: [/^1:1: the file is not a mapping/] },
]

test('parsePriceBook() takes the book that the faults are planted in', () => {
  assert.equal(parsePriceBook(GOOD, { file: 'prices.yaml' }).models.size, 1)
})

for (const { name, from, to, says } of FAULTS) {
  test(`parsePriceBook() refuses ${name}, saying where and how to mend it`, () => {
    assert.ok(GOOD.includes(from), 'the fault must be planted')
    const error = refusal(GOOD.replace(from, to))
    const said = error.problems.map(({ line, column, message, hint }) => `${line}:${column}: ${message}; ${hint}`)
    assert.equal(said.length, says.length, said.join('\n'))
    for (const [index, expected] of says.entries()) assert.match(said[index] ?? '', expected)
    for (const line of said) assert.ok(error.message.includes(`\n  dir/prices.yaml:${line}`), error.message)
    for (const { message, hint } of error.problems) assert.ok(message !== '' && hint !== '')
  })
}

test('parsePriceBook() lists every problem of a file at once, in its order', () => {
  const error = refusal(
    GOOD.replace('version: 1', 'version: 7').replace('"0.0000002"', '0.1').replace('"1.5"', '"x"').replace('org/model"\ngpu', 'y"\ngpu'),
  )
  assert.deepEqual(
    error.problems.map(({ line }) => line),
    [1, 4, 9, 12],
  )
  assert.match(error.message, /^Cannot use price book dir\/prices\.yaml: 4 problems\n/)
  assert.equal(error.code, 'PRICE_BOOK_INVALID')
  assert.ok(error instanceof InputError && error.hint !== undefined)
})

test('parsePriceBook() allows a factor of 0 where the base model is free on purpose', () => {
  const free = GOOD.replace('"1.5"', '"0"').replaceAll(/"0\.0+\d"/g, '"0"')
  assert.equal(parsePriceBook(free, { file: 'p' }).derived.get('org/model')?.get('input_tokens'), 0n)
})

test('parsePriceBook() is bounded: size, problems, depth, aliases, aliases of aliases', () => {
  assert.match(refusal(`#${' '.repeat(8 * 1024 * 1024)}`).message, /:1:1: file is larger than 8388608 characters/)
  const slips = Array.from({ length: 500 }, (_, index) => `x${index}: 1`).join('\n')
  assert.equal(refusal(`${GOOD}${slips}`).problems.length, 100)
  assert.match(refusal(`${GOOD}x: ${'['.repeat(20_000)}${']'.repeat(20_000)}`).message, /not YAML: nested too deeply/)
  const aliases = Array.from({ length: 101 }, (_, index) => `  g${index}: *floor`).join('\n')
  assert.match(
    refusal(`${GOOD.replace('"A100": "0"', '"A100": &floor "0"')}${aliases}\n`).message,
    /:115:\d+: more than 100 aliases; write the values out/,
  )
  const laughs = Array.from({ length: 30 }, (_, index) => `  m${index + 1}: &m${index + 1} [${`*m${index}, `.repeat(9)}]`).join('\n')
  assert.match(refusal(`version: 1\nbase_models:\n  m0: &m0 [lol]\n${laughs}\n`).message, /base_models\."m30" is not a mapping/)
  assert.match(refusal('version: 1\nbase_models: &all\n  m: *all\n').message, /unknown key "m" in base_models\."m"/)
})

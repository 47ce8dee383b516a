import { after, before } from 'node:test'
import { openaiSuite } from './support/sdk/openai-suite.ts'
import { targetOf } from './support/sdk/target.ts'
import type { SdkTarget } from './support/sdk/target.ts'
import { temporaryDir, up } from './support/product.ts'
import type { Product } from './support/product.ts'

const dir = temporaryDir()
let product: Product
let target: SdkTarget

before(async () => {
  product = await up(dir.path)
  target = targetOf(product, { model: 'sandbox-small', embedModel: 'sandbox-embed' })
})
after(async () => {
  await product[Symbol.asyncDispose]()
  dir[Symbol.dispose]()
})

openaiSuite(() => target, { tools: true, faults: true })

import { startSandboxCloud } from '@ascribe/sandbox'
import { testCloud } from './support/cloud-suite.ts'

testCloud('sandbox cloud', async () => {
  const cloud = await startSandboxCloud()
  const { oauthUrl, realm } = cloud
  return { cloud, oauthUrl, realm, lifeMs: 60_000, [Symbol.asyncDispose]: () => cloud.close() }
})

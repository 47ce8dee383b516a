export { createFakeClocks } from './testing/fake-clocks.ts'
export type { FakeClocks } from './testing/fake-clocks.ts'

export { tryLock } from './file-lock.ts'
export { ConfigError, LockError } from './errors.ts'

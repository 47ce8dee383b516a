/**
 * A lock between processes that the kernel releases when its holder dies, however it dies.
 * Disposing it releases it; disposing it twice is harmless.
 */
export type FileLock = Disposable

/**
 * Takes the lock at `path` (its folder exists; the file is made) or gives `undefined` at once when another process,
 * or another caller in this process, holds it. The real one is in `service`; it comes in as a parameter because
 * packages of one layer do not import each other.
 */
export type TryLock = (path: string) => FileLock | undefined

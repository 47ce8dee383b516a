/** Something of the machine is missing. The run goes on without what needs it, and says so. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable'
}

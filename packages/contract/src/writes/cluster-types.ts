/** A cluster of a user's own. */
export type NewCluster = {
  readonly namespace: string
  readonly name: string
  readonly region: string
  readonly spec: Readonly<Record<string, unknown>>
  readonly annotations?: Readonly<Record<string, string>> | undefined
}
export type CreatedCluster = {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  /** The user of the cloud. */
  readonly owner: string
  readonly binding: string
}

import type { CloudSigma } from '@ascribe/cloudsigma'
import type { Clocks } from '@ascribe/kube'
import type { AccountPin } from '../authority/pin.ts'
import { isFault } from './trouble.ts'

/** What may be cloned, and from which collection. */
export type Image = { readonly from: 'libdrives' | 'drives'; readonly sizeBytes: number | undefined }
export type ImageAnswer = { readonly is: 'allowed'; readonly image: Image } | { readonly is: 'refused'; readonly message: string }

/** The owner's tag for drives of their own that machines may be cloned from. */
const IMAGE_TAG = 'ascribe-image'

export type Images = {
  /** Whether a drive may be cloned into a machine. Asks the cloud once in a while for each image. @throws CloudSigmaError */
  check(request: {
    readonly pin: AccountPin
    readonly cloud: CloudSigma
    readonly image: string
    readonly deadlineMs: number
  }): Promise<ImageAnswer>
}

const KEPT_MS = 600_000
const REFUSAL_KEPT_MS = 60_000
const IMAGES_MAX = 10_000

/**
 * Images are library drives, which the cloud offers to everybody, or drives that the owner tagged in the cloud as images. Any other drive of
 * the owner may be a database's disk, and whoever writes machines in a namespace may not read those (H-26).
 */
export function createImages(clocks: Pick<Clocks, 'monotonic'>): Images {
  const known = new Map<string, { until: number; readonly answer: Promise<ImageAnswer> }>()
  return {
    check(request) {
      const { pin, image } = request
      const key = `${pin.kind} ${pin.userUUID} ${pin.region} ${image}`
      const kept = known.get(key)
      if (kept !== undefined && clocks.monotonic() < kept.until) return kept.answer
      // Kept before it is there: many machines of one image begin at once.
      const entry = { until: clocks.monotonic() + KEPT_MS, answer: ask(request) }
      if (known.size >= IMAGES_MAX) known.delete(known.keys().next().value ?? '')
      known.set(key, entry)
      entry.answer.then(
        ({ is }) => void (is === 'refused' && (entry.until = clocks.monotonic() + REFUSAL_KEPT_MS)),
        () => known.delete(key),
      )
      return entry.answer
    },
  }
}

async function ask({ cloud, image, pin, deadlineMs }: Parameters<Images['check']>[0]): Promise<ImageAnswer> {
  try {
    const { sizeBytes } = await cloud.libdrives.get(image, { deadlineMs })
    return { is: 'allowed', image: { from: 'libdrives', sizeBytes } }
  } catch (error) {
    if (!isFault(error, 'notFound')) throw error
  }
  try {
    const drive = await cloud.drives.get(image, { deadlineMs })
    const tags = drive.owner?.uuid === pin.userUUID && drive.tags.length > 0 ? await cloud.tags.list({}, { deadlineMs }) : []
    const isTagged = tags.some(({ uuid, name, owner }) => name === IMAGE_TAG && owner?.uuid === pin.userUUID && drive.tags.includes(uuid))
    if (isTagged) return { is: 'allowed', image: { from: 'drives', sizeBytes: drive.sizeBytes } }
  } catch (error) {
    if (!isFault(error, 'notFound', 'acl', 'forbidden')) throw error
  }
  return {
    is: 'refused',
    message: `Drive ${image} is no image: take one of the library, or have the owner tag it \`${IMAGE_TAG}\` in the cloud`,
  }
}

import { singleHeader } from '@ascribe/identity'
import type { RequestHead } from '@ascribe/relay'
import { scanMultipart, scanRequest } from '@ascribe/usage'
import type { Api, RequestScan } from '@ascribe/usage'

/** What a request says about its own metering. Files come in forms; what is no form is JSON. */
export function requestFacts(body: Buffer, api: Api, head: RequestHead): RequestScan {
  if (api !== 'transcriptions' && api !== 'images') return scanRequest(body, api)
  const contentType = singleHeader(head.headers, 'content-type')
  const isForm = api === 'transcriptions' || /^\s*multipart\//i.test(contentType ?? '')
  return isForm ? scanMultipart(body, api, contentType) : scanRequest(body, api)
}

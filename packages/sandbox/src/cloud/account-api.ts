import type { Reply } from '../oauth/http.ts'
import { type ApiRequest, ok } from './api-request.ts'

/** `GET /profile/`: who the caller is. Answers suspended users too, so that they can see it. */
export function getProfile({ actor }: ApiRequest): Reply {
  const { uuid, email, state, currency, cloneNaming, createdAt } = actor.user
  const [firstName = ''] = email.split('@', 1)
  return ok({
    address: '',
    api_https_only: false,
    autotopup_amount: '0E-16',
    autotopup_threshold: '0E-16',
    bank_reference: firstName,
    clone_naming: cloneNaming,
    company: '',
    country: 'CH',
    currency,
    email,
    first_name: firstName,
    has_autotopup: false,
    has_tx_autotopup: false,
    invoicing: true,
    key_auth: false,
    language: 'EN',
    last_name: '',
    mailing_list: false,
    meta: {},
    my_notes: '',
    network_restrictions: null,
    nickname: '',
    phone: '',
    postcode: '',
    reseller: '',
    signup_time: new Date(createdAt).toISOString().replace('Z', '000+00:00'),
    state,
    tax_name: null,
    tax_rate: null,
    title: '',
    town: '',
    tx_autotopup_amount: '0E-16',
    tx_autotopup_threshold: '0E-16',
    uuid,
    vat: '',
  })
}

import { nginx } from './edge/install.ts'
import { startNginx } from './edge/start.ts'
import { edgeSuite } from './edge/suite.ts'

edgeSuite({
  name: 'nginx',
  start: startNginx,
  available: await nginx(),
  unprotect: (site) => site.replace('proxy_pass_request_headers off;', ''),
})

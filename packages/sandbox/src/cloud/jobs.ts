import type { Reply } from '../oauth/http.ts'
import { notExist } from './api-reply.ts'
import { type ApiRequest, ok } from './api-request.ts'
import type { Job } from './entities.ts'
import { apiTime, uriOf } from './fields.ts'
import { listReply } from './lists.ts'

/** So long are jobs kept. */
const KEPT_MS = 3 * 24 * 3600 * 1000

export type JobSpec = {
  readonly operation: Job['operation']
  readonly kind: 'drives' | 'libdrives' | 'servers'
  readonly from: string
  readonly to: string
}

/** A job that takes as long as a clone does. */
export function addJob({ world, state, actor }: ApiRequest, { operation, kind, from, to }: JobSpec): Job {
  const createdAt = world.now()
  const made = kind === 'servers' ? 'servers' : 'drives'
  const job: Job = {
    uuid: world.newUuid('job'),
    owner: actor.user.uuid,
    operation,
    resources: [uriOf(kind, from), uriOf(made, to)],
    createdAt,
    endsAt: createdAt + world.knobs.cloneMs,
    outcome: world.knobs.cloneEndsAs === 'unavailable' ? 'failed' : 'success',
  }
  state.jobs.set(job.uuid, job)
  world.schedule.after(world.knobs.cloneMs + KEPT_MS, () => state.jobs.delete(job.uuid))
  return job
}

export function listJobs(request: ApiRequest): Reply {
  const mine = [...request.state.jobs.values()].filter(({ owner }) => owner === request.actor.user.uuid)
  return listReply(request, mine, (job) => jobJson(job, request.world.now()))
}

export function getJob(request: ApiRequest): Reply {
  const job = request.state.jobs.get(request.id)
  if (job === undefined || job.owner !== request.actor.user.uuid) throw notExist(request.id)
  return ok(jobJson(job, request.world.now()))
}

function jobJson({ uuid, operation, resources, createdAt, endsAt, outcome }: Job, now: number): Readonly<Record<string, unknown>> {
  const isDone = now >= endsAt
  const share = isDone ? 1 : (now - createdAt) / (endsAt - createdAt)
  return {
    children: [],
    created: apiTime(createdAt),
    data: { progress: Math.floor(share * 100) },
    last_modified: apiTime(Math.min(now, endsAt)),
    operation,
    resource_uri: uriOf('jobs', uuid),
    resources,
    state: isDone ? outcome : 'started',
    uuid,
  }
}

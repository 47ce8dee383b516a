import { ANNOTATIONS, DRIVE_META, FINALIZERS, PROVIDER_ID_PREFIX, SERVER_META } from '@ascribe/kinds'
import { serverSpecOf } from '@ascribe/cloudsigma'
import { SECRETS, isKubeError } from '@ascribe/kube'
import { formatPin } from '../authority/pin.ts'
import { coresOf } from './desired.ts'
import type { Desired } from './desired.ts'
import { driveName, formatDrives, recordedServer, stampedDriveName } from './marks.ts'
import { keepDrive, keepServer, readDrive } from './read.ts'
import { CALL_DEADLINE_MS, cloudOf, disksOf, identityOf, mutate, ownedBy, patchMachine, tokenOf } from './run.ts'
import type { Run } from './run.ts'
import { poolOf, serverRequest, tagNames } from './server-request.ts'
import { HoldError } from './hold-error.ts'
import { isFault } from './trouble.ts'
import type { Step } from './types.ts'

type Doing<Kind extends Step['do']> = Extract<Step, { readonly do: Kind }>

/** Writes ahead: finalizer, token and account in one patch, before anything is sent to the cloud (R-12, C-8). */
export async function applyPin(run: Run): Promise<void> {
  const { machine, world, memory, cluster, key } = run
  if (cluster === undefined) return
  const selection = await world.authority.select({ namespace: key.namespace ?? '', cluster, machine })
  if (selection.outcome !== 'selected') return
  const token = world.ids()
  memory.token = token
  const finalizers = machine.metadata.finalizers ?? []
  const patched = await patchMachine(run, {
    metadata: {
      finalizers: [...finalizers.filter((each) => each !== FINALIZERS.machine), FINALIZERS.machine],
      annotations: {
        [ANNOTATIONS.createToken]: token,
        [ANNOTATIONS.account]: formatPin(selection.pin),
        ...(selection.pin.binding !== undefined && { [ANNOTATIONS.ownerBinding]: selection.pin.binding }),
      },
    },
  })
  if (patched === 'patched') trustToken(run)
}

/** A token that this process wrote and has not used: whatever there is in the cloud, it has not made it. */
export function trustToken({ memory, machine }: Run): void {
  const token = tokenOf(machine)
  if (token === undefined || token !== memory.token || memory.seenToken === token) return
  memory.seenToken = token
  memory.doubtSince = undefined
}

/** Puts ids on the object at once. The annotation holds them; the provider id survives everything (R-12, R-21, C-30). */
export async function applyRecord(run: Run, { server, drives = [] }: Doing<'record'>): Promise<void> {
  const { machine, memory } = run
  const list = [...disksOf(run)]
  for (const { disk, drive } of drives) list[disk] ??= drive
  const id = recordedServer(machine) ?? server
  const patched = await patchMachine(run, {
    metadata: {
      annotations: {
        ...(drives.length > 0 && { [ANNOTATIONS.drives]: formatDrives(list) }),
        ...(id !== undefined && { [ANNOTATIONS.server]: id }),
      },
    },
    ...(id !== undefined && machine.spec.providerID === undefined && { spec: { providerID: `${PROVIDER_ID_PREFIX}${id}` } }),
  })
  if (patched === 'moved') return
  const wasFound = memory.doubtSince !== undefined
  memory.made = undefined
  memory.doubtSince = undefined
  memory.emptyAt = undefined
  // One create at a time is in doubt, and this was it. Should a stray request of an earlier leader come late, this finds what it made.
  if (wasFound) memory.sweepAt = run.world.clocks.monotonic() + run.world.listGraceMs
}

/** One disk from its image, by a POST that nobody waits for. */
export async function applyClone(run: Run, { disk }: Doing<'clone'>): Promise<void> {
  const { desired, memory, world, key } = run
  const token = tokenOf(run.machine)
  if (typeof desired === 'string' || token === undefined) return
  const wanted = desired.disks[disk]
  if (wanted === undefined) return
  const { cloud, pin } = await cloudOf(run)
  const answer = await world.images.check({ pin, cloud, image: wanted.image, deadlineMs: CALL_DEADLINE_MS })
  if (answer.is === 'refused') throw new HoldError({ reason: 'ImageNotAllowed', message: answer.message, retryAfterMs: 60_000 })
  const { from, sizeBytes = 0 } = answer.image
  if (wanted.sizeBytes < sizeBytes)
    throw new HoldError({
      reason: 'InvalidSpec',
      message: `spec.disks[${disk}].size is ${wanted.sizeBytes} bytes; its image has ${sizeBytes}`,
    })
  const made = await mutate(run, { verb: 'clone_drive', resource: { type: 'drive', uuid: wanted.image }, makes: true }, (client, options) =>
    client[from].clone(wanted.image, { name: driveName(key.name, { disk, token }), sizeBytes: wanted.sizeBytes, media: 'disk' }, options),
  )
  const drive = await ownedBy(run, made)
  memory.made = { server: memory.made?.server, drives: [...(memory.made?.drives ?? []), { disk, drive: drive.uuid }] }
  memory.begun.set(drive.uuid, {
    at: world.clocks.monotonic(),
    what: `clone ${pin.region} ${wanted.image}`,
    notYetAt: world.clocks.monotonic(),
  })
  const [job] = drive.jobs
  if (job !== undefined) memory.jobs.set(drive.uuid, job)
  keepDrive(run, drive)
  await applyRecord(run, { do: 'record', drives: memory.made.drives })
}

/** Takes the token out of the name and puts it into meta: from now on a copy that somebody makes of it is told from it. */
export async function applyStamp(run: Run, { disk, drive: uuid }: Doing<'stamp'>): Promise<void> {
  const token = tokenOf(run.machine)
  if (token === undefined) return
  const raw = await readDrive(run, uuid)
  if (raw === undefined) return
  const drive = await mutate(run, { verb: 'tag', resource: { type: 'drive', uuid }, makes: false }, (cloud, options) =>
    cloud.drives.update(
      uuid,
      {
        name: stampedDriveName(run.key.name, disk),
        sizeBytes: raw.sizeBytes ?? 0,
        media: raw.media === 'cdrom' ? 'cdrom' : 'disk',
        meta: { ...raw.meta.reveal(), [DRIVE_META.createToken]: token, [DRIVE_META.disk]: String(disk) },
        tags: raw.tags,
      },
      options,
    ),
  )
  keepDrive(run, drive)
}

export async function applyCreateServer(run: Run): Promise<void> {
  const { desired, memory, world, machine, key, capiCluster } = run
  const identity = identityOf(run)
  if (typeof desired === 'string' || identity === undefined) return
  const userData = await bootstrapData(run)
  const { cloud, pin } = await cloudOf(run)
  const cores = await coresFor(run, desired)
  const tags = await world.tags.uuidsOf({
    pin,
    cloud,
    names: tagNames(run),
    deadlineMs: CALL_DEADLINE_MS,
    make: async (name) =>
      mutate(run, { verb: 'tag', makes: false }, (client, options) => client.tags.create({ name, resources: [] }, options)),
  })
  const spec = serverRequest({
    desired,
    cores,
    drives: disksOf(run).map((each) => each ?? ''),
    tags,
    identity,
    proofKey: world.proofKey,
    machineUid: machine.metadata.uid ?? '',
    clusterName: capiCluster?.metadata.name,
    clusterUid: capiCluster?.metadata.uid,
    pool: poolOf(run),
    userData,
    pooled: run.pooled,
  })
  try {
    const made = await mutate(run, { verb: 'create_server', makes: true }, (client, options) => client.servers.create(spec, options))
    const server = await ownedBy(run, made)
    memory.made = { server: server.uuid, drives: memory.made?.drives ?? [] }
    keepServer(run, server)
    world.metrics.created(pin.region)
    world.events.record(machine, {
      type: 'Normal',
      reason: 'ServerCreated',
      note: `Server ${server.uuid} was made in ${pin.region}`,
      action: 'Create',
    })
    await applyRecord(run, { do: 'record', server: server.uuid })
  } catch (error) {
    // Perhaps a tag of the book was deleted: it is read again before the next try.
    if (isFault(error, 'notFound', 'validation')) world.tags.forget({ pin, cloud })
    throw error
  } finally {
    run.logger.debug('create of the server ended', { machine: key.name })
  }
}

/** Base64, as the Secret has it: it is not decoded, logged or kept (C-37, H-15). */
async function bootstrapData({ world, key, capiMachine }: Run): Promise<string> {
  const name = capiMachine?.spec?.bootstrap?.dataSecretName ?? ''
  try {
    const { data } = await world.kube.get(SECRETS, { ...(key.namespace !== undefined && { namespace: key.namespace }), name })
    const value = data?.['value']
    if (value !== undefined && value !== '') return value
    throw new HoldError({ reason: 'WaitingForBootstrapData', message: `Secret ${name} has no key \`value\``, retryAfterMs: 10_000 })
  } catch (error) {
    if (!isKubeError(error, 'NotFound', 'Forbidden')) throw error
    throw new HoldError({
      reason: 'WaitingForBootstrapData',
      message:
        error.reason === 'NotFound'
          ? `Secret ${name} is not there yet`
          : `Secret ${name} may not be read: the namespace’s RoleBinding is missing. \`ascribe owners inspect\` says more`,
      retryAfterMs: 5_000,
    })
  }
}

async function coresFor(run: Run, desired: Desired): Promise<number> {
  const { cloud } = await cloudOf(run)
  const capabilities = await run.world.capabilities.of(cloud.origin, () => cloud.account.capabilities({ deadlineMs: CALL_DEADLINE_MS }))
  const cores = coresOf(desired, capabilities)
  if (typeof cores === 'string') throw new HoldError({ reason: 'InvalidSpec', message: cores })
  return cores
}

/** after the join, bootstrap data has no business in meta, where everybody with a look at the server reads it. */
export async function applyStrip(run: Run, { server: uuid }: Doing<'strip-bootstrap'>): Promise<void> {
  const { cloud } = await cloudOf(run)
  // PUT replaces everything: it must be as new as can be.
  const current = await cloud.servers.get(uuid, { deadlineMs: CALL_DEADLINE_MS })
  const spec = serverSpecOf(current)
  const { [SERVER_META.userData]: _data, [SERVER_META.base64Fields]: _fields, ...meta } = spec.meta ?? {}
  const updated = await mutate(run, { verb: 'update_server', resource: { type: 'server', uuid }, makes: false }, (client, options) =>
    client.servers.update(uuid, { ...spec, meta }, options),
  )
  keepServer(run, updated)
}

import { z } from 'zod'
import type { Level, Size } from './level.ts'
import type { Stretch } from './stretches.ts'

/**
 * What a machine's annotation says of what was counted: everything before `from` is in records or in `owed`, nothing after it. Written before any
 * record of `owed` is: whoever reads it can write exactly the same records, as often as it takes.
 */
export type MeteredState = {
  /** Of the cloud. */
  readonly server: string
  /** Seen first. */
  readonly since: number
  readonly from: number
  readonly level: Level
  readonly size: Size
  readonly activeSince: string | undefined
  /** What records before `owed` have left over, by meter, in the order of METERS. */
  readonly rest: readonly bigint[]
  /** Stretches that end at `from`, whose records may not have been written. */
  readonly owed: readonly Stretch[]
  readonly isGone: boolean
}

const count = z.int().min(0)
const LevelSchema = z.tuple([z.union([z.literal(0), z.literal(1)]), count, count, count, count])
const StateSchema = z.strictObject({
  v: z.literal(1),
  server: z.string().min(1).max(64),
  since: count,
  from: count,
  level: LevelSchema,
  size: z.tuple([count, count, count, count]),
  active: z.string().max(64).optional(),
  rest: z.array(z.string().regex(/^\d{1,30}$/)).length(4),
  owed: z.array(z.tuple([count, count, LevelSchema, z.union([z.literal(0), z.literal(1)])])).max(10_000),
  gone: z.literal(true).optional(),
})

type LevelText = z.infer<typeof LevelSchema>

/** As it stands in the annotation: short, since it is read with every object. */
export function formatState(state: MeteredState): string {
  return JSON.stringify({
    v: 1,
    server: state.server,
    since: state.since,
    from: state.from,
    level: textOf(state.level),
    size: [state.size.cpu, state.size.mem, state.size.ip, state.size.keptIp],
    active: state.activeSince,
    rest: state.rest.map(String),
    owed: state.owed.map(({ start, end, level, isGuess }) => [start, end, textOf(level), isGuess ? 1 : 0]),
    ...(state.isGone && { gone: true }),
  })
}

/** `undefined`: it is none of ours, and nothing can be said of what was counted. */
export function parseState(text: string): MeteredState | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const { data } = StateSchema.safeParse(value)
  if (data === undefined) return undefined
  return {
    server: data.server,
    since: data.since,
    from: data.from,
    level: levelOf(data.level),
    size: { cpu: data.size[0], mem: data.size[1], ip: data.size[2], keptIp: data.size[3] },
    activeSince: data.active,
    rest: data.rest.map(BigInt),
    owed: data.owed.map(([start, end, level, guess]) => ({ start, end, level: levelOf(level), isGuess: guess === 1 })),
    isGone: data.gone === true,
  }
}

function textOf({ isRunning, cpu, mem, disk, ip }: Level): LevelText {
  return [isRunning ? 1 : 0, cpu, mem, disk, ip]
}

function levelOf([running, cpu, mem, disk, ip]: LevelText): Level {
  return { isRunning: running === 1, cpu, mem, disk, ip }
}

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release } from 'node:os'
import { join } from 'node:path'
import { measureAudit } from './audit-section.ts'
import { measureController } from './controller/controller-section.ts'
import { Unavailable } from './errors.ts'
import { startField } from './field.ts'
import type { Field } from './field.ts'
import { measureGc } from './gc-section.ts'
import { measureImpersonation } from './impersonation-section.ts'
import { measureJournal } from './journal-section.ts'
import { measureJson } from './json-section.ts'
import { measureLatency } from './latency-section.ts'
import { measureLedger } from './ledger/ledger-section.ts'
import { measureLedgerSoak } from './ledger/ledger-soak-section.ts'
import { measureBodies } from './memory-section.ts'
import { HELP, parseOptions } from './options.ts'
import type { BenchOptions, SectionName } from './options.ts'
import { startPeer } from './peer.ts'
import { isMet, sectionText } from './report.ts'
import type { Section } from './report.ts'
import type { LedgerSetting, Setting } from './setting.ts'
import { measureReads } from './reads/reads-section.ts'
import { measureSoak } from './soak-section.ts'
import { measureSse } from './sse-section.ts'
import { measureStreams } from './streams-section.ts'

const ROOT = join(import.meta.dirname, '..')
const CACHE = join(ROOT, '.peers')
const RESULTS = join(ROOT, 'results')

async function bench(options: BenchOptions): Promise<void> {
  if (process.platform !== 'linux') throw new Unavailable('Cannot measure here: the peer needs Linux (epoll, /proc)')
  mkdirSync(CACHE, { recursive: true })
  mkdirSync(RESULTS, { recursive: true })
  const startedAt = new Date()
  // Beside the sources, on the disk that is really there: /tmp may be in memory, where fdatasync costs nothing.
  const scratch = mkdtempSync(join(CACHE, 'scratch-'))
  const missing: string[] = []
  const progress = (what: string): void => void process.stderr.write(`bench: ${what}\n`)
  try {
    await using peer = options.sections.every(isOfLedger) ? undefined : await startPeer(CACHE, scratch)
    const { quick, soakSeconds, records, backlog, soakRecords } = options
    const missed = (what: string): void => {
      missing.push(what)
      progress(what)
    }
    const setting = peer === undefined ? undefined : { peer, cache: CACHE, scratch, quick, soakSeconds, progress, missing: missed }
    const machine = machineOf()
    console.log(
      `${startedAt.toISOString()}  ${machine.cores} x ${machine.cpu}, Linux ${machine.kernel}, Node ${machine.node}, load ${machine.load}`,
    )
    const measured = setting === undefined ? { sections: [], versions: {} } : await measureAll(options.sections, setting)
    const ofLedger = await measureLedgers(options.sections, { scratch, quick, progress, records, backlog, soakRecords })
    const { versions } = measured
    const sections = [...measured.sections, ...ofLedger]
    const targets = sections.flatMap((section) => section.targets)
    console.log(`\n${targets.filter(isMet).length} targets met, ${targets.filter((target) => !isMet(target)).length} missed`)
    for (const what of missing) console.log(`not measured: ${what}`)
    const file = join(RESULTS, `${startedAt.toISOString().replaceAll(':', '-')}.json`)
    writeFileSync(file, JSON.stringify({ startedAt, machine, versions, quick: options.quick, missing, sections }, null, 1))
    process.stderr.write(`bench: everything that was seen is in ${file}\n`)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

const WITH_FIELD: Partial<Record<SectionName, (setting: Setting, field: Field) => Promise<Section>>> = {
  json: measureJson,
  sse: measureSse,
  latency: measureLatency,
}
const ALONE: Partial<Record<SectionName, (setting: Setting) => Promise<Section>>> = {
  journal: measureJournal,
  bodies: measureBodies,
  soak: measureSoak,
  streams: measureStreams,
  gc: measureGc,
}

const OF_LEDGER: Partial<Record<SectionName, (setting: LedgerSetting) => Promise<Section>>> = {
  ledger: measureLedger,
  'ledger-soak': measureLedgerSoak,
  reads: measureReads,
  audit: measureAudit,
  // Like those of the ledger it needs neither peer nor field.
  impersonation: measureImpersonation,
  controller: measureController,
}

function isOfLedger(name: SectionName): boolean {
  return OF_LEDGER[name] !== undefined
}

async function measureLedgers(names: readonly SectionName[], setting: LedgerSetting): Promise<Section[]> {
  const sections: Section[] = []
  for (const name of names) {
    const measure = OF_LEDGER[name]
    if (measure === undefined) continue
    // A ledger of its own each, on the disk that is measured.
    const scratch = mkdtempSync(join(setting.scratch, 'ledger-'))
    const section = await measure({ ...setting, scratch })
    rmSync(scratch, { recursive: true, force: true })
    sections.push(section)
    console.log(sectionText(section))
  }
  return sections
}

async function measureAll(
  names: readonly SectionName[],
  setting: Setting,
): Promise<{ sections: Section[]; versions: Record<string, string> }> {
  const sections: Section[] = []
  const done = (section: Section): void => {
    sections.push(section)
    console.log(sectionText(section))
  }
  const versions: Record<string, string> = {}
  if (names.some((name) => WITH_FIELD[name] !== undefined)) {
    await using field = await startField(setting)
    for (const one of [field.nginx, field.portkey]) if (one?.version !== undefined) versions[one.name] = one.version
    console.log(
      Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    )
    for (const name of names) {
      const measure = WITH_FIELD[name]
      if (measure !== undefined) done(await measure(setting, field))
    }
  }
  for (const name of names) {
    const measure = ALONE[name]
    if (measure !== undefined) done(await measure(setting))
  }
  return { sections, versions }
}

function machineOf(): { cores: number; cpu: string; kernel: string; node: string; load: string } {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? modelOf(),
    kernel: release(),
    node: process.versions.node,
    load: loadavg()[0]?.toFixed(1) ?? '',
  }
}

function modelOf(): string {
  return /^model name\s*: (.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown'
}

try {
  const options = parseOptions(process.argv.slice(2))
  if (options === 'help') console.log(HELP)
  else await bench(options)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

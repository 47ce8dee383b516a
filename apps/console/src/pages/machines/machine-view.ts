import type { MachineJson } from '@ascribe/contract/reads'

/** The machines that a list shows: by words in name, id, owner, place. */
export function selectMachines(
  machines: readonly MachineJson[],
  { search, owner }: { readonly search: string; readonly owner: string | undefined },
): readonly MachineJson[] {
  const words = search.trim().toLowerCase()
  return machines.filter((machine) => {
    if (owner !== undefined && machine.owner !== owner) return false
    const texts = [machine.name, machine.id, machine.owner, machine.namespace, machine.cluster]
    return words === '' || texts.some((text) => text?.toLowerCase().includes(words) === true)
  })
}

/** A decimal number of hours, with one place: `514.0 h`; a little is not none: `< 0.1 h`. Exact ones stand in the hint. */
export function hoursText(hours: string): string {
  const [whole = '0', fraction = ''] = hours.split('.')
  const tenths = (BigInt(whole) * 100n + BigInt(fraction.padEnd(2, '0').slice(0, 2)) + 5n) / 10n
  if (tenths === 0n && /[1-9]/.test(hours)) return '<\u00a00.1\u00a0h'
  const digits = String(tenths / 10n).replaceAll(/\B(?=(\d{3})+(?!\d))/g, ',')
  return `${digits}.${tenths % 10n}\u00a0h`
}

/** A decimal quantity with all its digits, in groups: `2,056,000.5`. */
export function quantityText(quantity: string): string {
  const [whole = '', fraction] = quantity.split('.')
  const shown = fraction?.replace(/0+$/, '') ?? ''
  return whole.replaceAll(/\B(?=(\d{3})+(?!\d))/g, ',') + (shown === '' ? '' : `.${shown}`)
}

/** How large a machine is. */
export function sizeText({
  cpuMhz,
  memoryMib,
  diskGib,
  addresses,
}: Pick<MachineJson, 'cpuMhz' | 'memoryMib' | 'diskGib' | 'addresses'>): string {
  const memory = memoryMib % 1024 === 0 ? `${memoryMib / 1024} GiB` : `${memoryMib} MiB`
  const disk = diskGib.replace(/\.0+$/, '')
  return [
    `${cpuMhz} MHz`,
    `${memory} memory`,
    `${disk} GiB disk`,
    ...(addresses > 0 ? [`${addresses} ${addresses === 1 ? 'address' : 'addresses'}`] : []),
  ].join(' · ')
}

const METERS: Readonly<Record<string, string>> = {
  vm_cpu_mhz_hours: 'Processor, MHz hours',
  vm_memory_mib_hours: 'Memory, MiB hours',
  vm_disk_gib_hours: 'Disk, GiB hours',
  vm_ip_hours: 'Address hours',
}

/** What people call a meter of a machine. */
export function machineMeterText(meter: string): string {
  return METERS[meter] ?? meter.replaceAll('_', ' ')
}

// The keys of a source that blkoops and pstore_blk know, and what they set.

import { inUnits } from '../pstore/geometry.js';
import type { SourceKeys } from '../pstore/keys.js';
import { givenMaxReason, maxReasonOf } from '../pstore/max-reason.js';
import { dialectsOf, type ZoneDialect, zoneDialectNamed } from './dialects.js';
import type { Kept } from './dump.js';
import type { Generation } from './format.js';
import type { ZoneSizes } from './geometry.js';

/** The keys of the sizes, by what they set. */
export const SIZE_KEYS = {
  kmsgSize: 'kmsg_size',
  pmsgSize: 'pmsg_size',
  consoleSize: 'console_size',
  ttySize: 'tty_size',
  ftraceSize: 'ftrace_size',
  cpus: 'cpus',
} as const satisfies Record<keyof ZoneSizes, string>;

/** Source keys of blkoops and pstore_blk. */
export const ZONE_KEYS = [
  ...Object.values(SIZE_KEYS),
  'dialect',
  'compress',
  'abi',
  'max_reason',
  'dump_oops',
  'panic_path',
  'kallsyms',
  'no_cap',
] as const;

/** Sizes of the zones that are not dmesg's. */
export const RING_SIZES = ['pmsgSize', 'consoleSize', 'ttySize', 'ftraceSize'] as const;

/** More CPUs than any kernel can be configured for. */
const MAX_CPUS = 8192;

export function givenSizes(keys: SourceKeys): Partial<Record<keyof ZoneSizes, number>> {
  const given: Partial<Record<keyof ZoneSizes, number>> = {};
  for (const [name, key] of Object.entries(SIZE_KEYS) as [keyof ZoneSizes, string][]) {
    const value = name === 'cpus' ? keys.number(key, 1, MAX_CPUS) : keys.size(key);
    if (value !== undefined) given[name] = value;
  }
  return given;
}

/** @throws PstoreError EINVAL for one that this generation does not have */
export function givenDialect(keys: SourceKeys, generation: Generation): ZoneDialect | undefined {
  const name = keys.text('dialect');
  return name === undefined ? undefined : zoneDialectNamed(name, generation);
}

/** `,dialect=NAME` where it is not the one that is taken without. */
export function dialectKeys(dialect: ZoneDialect): readonly string[] {
  return dialect === dialectsOf(dialect.generation)[0] ? [] : [`dialect=${dialect.name}`];
}

/** Which dumps are kept: in old dialects oopses are left out by dump_oops, in mainline by a lower max_reason. */
export function keptBy(keys: SourceKeys, { keeps }: ZoneDialect): Kept {
  if (keeps === undefined) return { maxReason: maxReasonOf(keys) };
  const maxReason = givenMaxReason(keys);
  return {
    ...(maxReason !== undefined && { maxReason }),
    dumpOops: keys.has('dump_oops') ? keys.flag('dump_oops') : true,
  };
}

/**
 * Which dumps are kept, as the module's parameters say it: fs/pstore/blk.c has max_reason, and vendors' blkoops.c has
 * dump_oops. None where no key says anything.
 */
export function keptParameters(keys: SourceKeys, { keeps, parameters }: ZoneDialect): readonly string[] {
  if (!parameters) return [];
  const { module } = parameters;
  if (keeps !== undefined)
    return keys.has('dump_oops') ? [`${module}.dump_oops=${Number(keys.flag('dump_oops'))}`] : [];
  if (!keys.has('max_reason') && !keys.has('dump_oops')) return [];
  return [`${module}.max_reason=${keys.text('max_reason') ?? maxReasonOf(keys)}`];
}

/** The same as keys of a SOURCE. */
export function keptKeys(keys: SourceKeys): readonly string[] {
  const given = (['max_reason', 'dump_oops'] as const).filter((key) => keys.has(key));
  return given.map((key) => (keys.text(key) === '' ? key : `${key}=${keys.text(key)}`));
}

/** Whether the device can be written in a panic; a kernel asks its driver, and without a way stores no panic. */
export function hasPanicPath(keys: SourceKeys): boolean {
  return keys.choice('panic_path', ['device', 'none']) !== 'none';
}

/** `kmsg_size=64K` */
export function sizeText(name: keyof ZoneSizes, sizes: ZoneSizes): string {
  return `${SIZE_KEYS[name]}=${name === 'cpus' ? sizes[name] : inUnits(sizes[name])}`;
}

// The keys of a source that set the geometry of ramoops, and how they are read and printed.

import { PstoreError } from '../errors.js';
import { inUnits } from '../pstore/geometry.js';
import type { SourceKeys } from '../pstore/keys.js';
import { DIALECTS, dialectsNamed, RAM_ORDERS, type RamDialect } from './dialects.js';
import type { RamSizes } from './geometry.js';
import type { GivenSizes } from './region-sizes.js';

/** The keys of the geometry, by what they set. */
export const GEOMETRY_KEYS = {
  memSize: 'mem_size',
  recordSize: 'record_size',
  consoleSize: 'console_size',
  ftraceSize: 'ftrace_size',
  pmsgSize: 'pmsg_size',
  ttySize: 'tty_size',
  bootLogSize: 'boot_log_size',
  bootLogCount: 'boot_log_count',
  cpus: 'cpus',
  ecc: 'ecc',
  order: 'order',
  dialect: 'dialect',
} as const satisfies Record<keyof RamSizes, string>;

export type Name = keyof typeof GEOMETRY_KEYS;
export const NAMES = Object.keys(GEOMETRY_KEYS) as Name[];

/** Without these a geometry is not given. */
export const SIZE_NAMES = ['recordSize', 'consoleSize', 'ftraceSize', 'pmsgSize'] as const;

/** More CPUs than any kernel can be configured for. */
const MAX_CPUS = 8192;
/** More zones of a boot log than any device tree asks for. */
const MAX_BOOT_LOGS = 64;
/** ramoops.ecc=1 means this many parity bytes. */
const DEFAULT_ECC = 16;
const MAX_ECC = 127;

/** `ecc=1` is a word for 16, because one byte of parity is no use. */
export function eccOf(value: number | undefined): number | undefined {
  return value === 1 ? DEFAULT_ECC : value;
}

/** @throws PstoreError EINVAL */
export function givenSizes(keys: SourceKeys): GivenSizes {
  const size = (name: Name) => keys.size(GEOMETRY_KEYS[name]);
  const kmsgSize = keys.size('kmsg_size');
  const recordSize = size('recordSize') ?? kmsgSize;
  if (kmsgSize !== undefined && kmsgSize !== recordSize) {
    throw new PstoreError('EINVAL', `record_size=${recordSize} and kmsg_size=${kmsgSize} are two words for one size`);
  }
  return withoutUndefined({
    memSize: size('memSize'),
    recordSize,
    consoleSize: size('consoleSize'),
    ftraceSize: size('ftraceSize'),
    pmsgSize: size('pmsgSize'),
    ttySize: size('ttySize'),
    bootLogSize: size('bootLogSize'),
    bootLogCount: keys.number('boot_log_count', 1, MAX_BOOT_LOGS),
    cpus: keys.number('cpus', 1, MAX_CPUS),
    ecc: eccOf(keys.number('ecc', 0, MAX_ECC)),
    order: keys.choice('order', RAM_ORDERS),
  });
}

export function withoutUndefined(sizes: { [name in Name]?: RamSizes[name] | undefined }): GivenSizes {
  return Object.fromEntries(Object.entries(sizes).filter(([, value]) => value !== undefined));
}

/** The dialects that the keys allow. @throws PstoreError EINVAL for an unknown one */
export function givenDialects(keys: SourceKeys): readonly RamDialect[] {
  const name = keys.text('dialect');
  if (name !== undefined) return dialectsNamed(name);
  // Whoever says that there are several CPUs' ftrace zones had a kernel that has one for each.
  const hasSeveral = (keys.number('cpus', 1, MAX_CPUS) ?? 1) > 1;
  return hasSeveral ? DIALECTS.filter(({ perCpu }) => perCpu) : DIALECTS;
}

export function keyText(name: Name, sizes: RamSizes): string {
  return `${GEOMETRY_KEYS[name]}=${valueText(name, sizes)}`;
}

function valueText(name: Name, sizes: RamSizes): string {
  if (name === 'dialect') return sizes.dialect.name;
  const value = sizes[name];
  return name.endsWith('Size') ? inUnits(value as number) : String(value);
}

/** Whether a key says something in this geometry. */
export function isTold(name: Name, sizes: RamSizes): boolean {
  const { ftraceSize, pmsgSize, ttySize, bootLogSize, dialect } = sizes;
  if (dialect.frame === 'sram') return name === 'dialect';
  if (name === 'cpus') return ftraceSize > 0;
  if (name === 'ttySize') return ttySize > 0;
  if (name === 'bootLogSize' || name === 'bootLogCount') return bootLogSize > 0;
  if (name === 'order') return ftraceSize > 0 && pmsgSize > 0 && ttySize === 0;
  return name !== 'dialect' || dialect !== DIALECTS[0];
}

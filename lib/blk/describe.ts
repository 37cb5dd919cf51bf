// What is said of a partition: for `info`, for a kernel's command line, for a SOURCE that opens it again; and why a write
// would be a guess.

import { isBlank } from '../bytes.js';
import { type Abi, abiName } from '../pstore/abi.js';
import type { NewRecord } from '../pstore/backend.js';
import { inUnits, PROVEN } from '../pstore/geometry.js';
import type { SourceKeys } from '../pstore/keys.js';
import { readRange, type Storage } from '../storage/storage.js';
import type { ZoneSource } from './backend.js';
import { notAtBeginning, partKeys } from './contradictions.js';
import { dialectsOf, isDmesgFirst, type ZoneDialect } from './dialects.js';
import { ZoneState } from './dmesg-table.js';
import type { ZoneEngine } from './engine.js';
import { BUFFER_HEADER_SIZE } from './format.js';
import type { Found } from './found.js';
import { kmsgZone, PSTORE_BLK_CAP, type ZoneGeometry, type ZoneSizes } from './geometry.js';
import { dialectKeys, keptKeys, keptParameters, RING_SIZES, SIZE_KEYS, sizeText } from './keys.js';

/** A guess never places a write. @returns the sentence that says what to give */
export function whyGuessed(type: NewRecord['type'], found: Found, path: string): string | undefined {
  const name = (
    { dmesg: 'kmsgSize', console: 'consoleSize', pmsg: 'pmsgSize', tty: 'ttySize', ftrace: 'ftraceSize' } as const
  )[type];
  if (found.begins !== undefined) return `${notAtBeginning(found)}; a guess never places a write`;
  const { dialect } = found.geometry;
  if (!dialect.order.includes(type)) {
    const kinds = dialect.order.join(' and ');
    return `${dialect.backend} has ${kinds} zones only; ${type} is kept by pstore_blk and ramoops`;
  }
  const key = SIZE_KEYS[name];
  const size = found.geometry[name];
  if (size === 0 && !found.given.has(name)) {
    const other = found.isBare
      ? `; or take ramoops:${path}, if it is an empty image of ramoops: that looks the same`
      : '';
    return `no ${type} zone is found in it; give ${key}= as the kernel had it${other}`;
  }
  if (found.confidence[key] !== PROVEN) {
    return `${key}=${inUnits(size)} is only a guess, and a guess never places a write; give ${key}= as the kernel had it`;
  }
  if (type === 'dmesg' && isDmesgFirst(dialect) && dialect.order.length > 1 && !isRingKnown(found)) {
    const why = 'whether another zone follows the dmesg zones is only a guess, and a guess never places a write';
    return `${why}; give pmsg_size= as the kernel had it (0 where it had none)`;
  }
  const frontGiven = RING_SIZES.some((front) => found.given.has(front));
  if (type === 'dmesg' && found.detected?.kmsgOffsetProven === false && !frontGiven) {
    return (
      `that the dmesg zones begin at ${found.geometry.kmsgOffset} is only a guess, and a guess never places a write; ` +
      'give pmsg_size=, console_size= and ftrace_size= as the kernel had them'
    );
  }
  return undefined;
}

/** Whether it is known where the dmesg zones end. */
function isRingKnown({ geometry, given }: Found): boolean {
  return geometry.rings.length > 0 || given.has('pmsgSize');
}

/** Where the next record would go may be no zone at all: the image may end before, as part of a larger file. */
export function foreignZone(
  type: NewRecord['type'],
  engine: ZoneEngine,
  storage: Storage,
  found: Pick<Found, 'given' | 'geometry'>,
): string | undefined {
  if (type !== 'dmesg' || found.given.has('kmsgSize')) return undefined;
  const { nextZone, geometry, dmesg } = engine;
  const { offset } = kmsgZone(geometry, nextZone);
  const head = readRange(storage, offset, BUFFER_HEADER_SIZE[geometry.generation]);
  if (isBlank(head) || dmesg.state(nextZone) !== ZoneState.Unsigned) return undefined;
  return (
    `at offset ${offset}, where the next record would go, stands something that is no zone; ` +
    'give offset= and size= where the partition is a part of a larger file, or kmsg_size= as the kernel had it'
  );
}

/** @param notes further lines for `info` */
export function describe(
  found: Found,
  abi: Abi,
  keys: SourceKeys,
  notes: Readonly<Record<string, string>> = {},
): ZoneSource['described'] {
  const abiGiven = keys.has('abi');
  const isPart = found.detected?.used !== undefined && !keys.has('size');
  const { geometry } = found;
  const { dialect } = geometry;
  const shown = (Object.keys(SIZE_KEYS) as (keyof ZoneSizes)[]).filter((name) => isTold(name, geometry));
  const place = partKeys(found);
  // What stands in front of a partition is none of its zones, and its own sizes are found when it is opened by itself.
  const isElsewhere = found.isShifted || (place.length > 0 && !isDmesgFirst(dialect));
  const sizes = shown.filter((name) => !isElsewhere || (name === 'kmsgSize' && found.isShifted));
  return {
    geometry: {
      total_size: geometry.total,
      ...Object.fromEntries(shown.map((name) => [SIZE_KEYS[name], geometry[name]])),
      kmsg_offset: geometry.kmsgOffset,
      kmsg_zones: geometry.kmsgCount,
    },
    confidence: found.confidence,
    kernelParameters: parametersOf(geometry, keys),
    details: {
      'sizes found': howFound(found),
      layout: `${dialect.name} (${dialect.kernels}): ${dialect.rule}`,
      ...layoutFound(found),
      ...whyNoParameters(geometry),
      ...(geometry.kmsgSize > 0 && !abiGiven && !found.detected?.abiProven && { 'word size': WORD_SIZE_IS_GUESS }),
      ...notes,
    },
    sourceKeys: [
      ...place,
      ...(place.length > 0 || !isPart ? [] : [`size=${inUnits(geometry.total)}`]),
      ...sizes.map((name) => sizeText(name, geometry)),
      ...(found.detected?.told.isOpen ? [`dialect=${dialect.name}`] : dialectKeys(dialect)),
      ...keptKeys(keys),
      ...(abiGiven ? [`abi=${abiName(abi)}`] : []),
      ...(dialect.isCapped && geometry.total > PSTORE_BLK_CAP ? ['no_cap'] : []),
    ].join(','),
  };
}

function layoutFound({ detected }: Found): Record<string, string> {
  if (detected?.told.isOpen) return { 'layout found': `a guess: ${nothingTells(detected.told.dialect)}` };
  return detected?.told.how ? { 'layout found': detected.told.how } : {};
}

/** Of an image without dumps and rings; their reasons and places would tell. */
export function nothingTells(dialect: ZoneDialect): string {
  const others = dialectsOf(dialect.generation).filter((other) => other !== dialect);
  const kernels = others.map((other) => `${other.kernels} (dialect=${other.name})`).join(' and ');
  return `nothing in it tells it from an image of ${kernels}; give dialect= before a record is written`;
}

/** Whether a size says something of this geometry. */
function isTold(name: keyof ZoneSizes, { dialect, ftraceSize, ttySize }: ZoneGeometry): boolean {
  if (name === 'cpus') return ftraceSize > 0;
  if (name === 'ttySize') return ttySize > 0;
  const kind = name === 'kmsgSize' ? 'dmesg' : name.replace('Size', '');
  return (dialect.order as readonly string[]).includes(kind);
}

/** How the sizes came about: given, found, or both. */
function howFound({ given, detected }: Found): string {
  const headers = detected?.marks.length ?? 0;
  const counted = headers === 1 ? 'the only header' : `${headers} headers`;
  if (headers === 0) return 'as given; the image has no headers';
  if (given.size === 0) return `by where ${counted} of the image ${headers === 1 ? 'stands' : 'stand'}`;
  return `as given (${[...given].map((name) => SIZE_KEYS[name]).join(', ')}), the others by ${counted}`;
}

const WORD_SIZE_IS_GUESS =
  'a guess: the header of a dmesg record would tell it, and there is none; give abi= before one is written';

/** The modules' parameters are in KiB, and multiples of this; other users of pstore/zone have zones of any sector. */
const PARAMETER_MULTIPLE = 4096;

function parametersOf(geometry: ZoneGeometry, keys: SourceKeys): readonly string[] {
  const { parameters } = geometry.dialect;
  if (!parameters || Object.keys(whyNoParameters(geometry)).length > 0) return [];
  const sizes = Object.entries(parameters.sizes) as [string, keyof ZoneSizes][];
  return [
    ...sizes.map(([name, size]) => `${parameters.module}.${name}=${geometry[size] / 1024}`),
    ...keptParameters(keys, geometry.dialect),
  ];
}

/** Why no parameters of a module say these sizes. */
function whyNoParameters(geometry: ZoneGeometry): Record<string, string> {
  const { parameters, backend } = geometry.dialect;
  const because = (why: string) => ({ 'kernel parameters': why });
  if (!parameters) return because(`none: ${backend} has no parameter for its sizes`);
  if (geometry.ttySize > 0) return because('none: a tty zone is made by pstorefuse only');
  const names = Object.values(parameters.sizes) as (keyof ZoneSizes)[];
  const odd = names.find((name) => geometry[name] % PARAMETER_MULTIPLE !== 0);
  if (odd === undefined) return {};
  const size = `${SIZE_KEYS[odd]}=${geometry[odd]}`;
  return because(`${size} is no multiple of 4 KiB, so parameters of ${parameters.module} cannot say it`);
}

// Opens a partition of zones.

import { COMPRESSIONS } from '../compress/codec.js';
import type { CompressionChoice } from '../compress/decompress.js';
import { PstoreError } from '../errors.js';
import { type Abi, DEFAULT_ABI } from '../pstore/abi.js';
import { contradiction } from '../pstore/geometry.js';
import { parseKallsyms } from '../pstore/kallsyms.js';
import { sourceText } from '../pstore/keys.js';
import type { OpenContext } from '../pstore/kind.js';
import { Records } from '../pstore/records.js';
import { MAX_STRAYS, strayNote, warnOfStrays } from '../pstore/strays.js';
import { COMPANIONS } from '../storage/companion.js';
import { readRange, type Storage } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import type { Warnings } from '../warnings.js';
import { ZonePlaces } from './backend.js';
import { describe, foreignZone, nothingTells, whyGuessed } from './describe.js';
import { type Detected, detectZones } from './detect.js';
import { dialectsOf, type ZoneDialect } from './dialects.js';
import { ZoneState } from './dmesg-table.js';
import { ZoneEngine } from './engine.js';
import { findGeometry, SHORT_SEARCH } from './find-geometry.js';
import {
  BUFFER_HEADER_SIZE,
  DMESG_MAGIC,
  dmesgHeaderSize,
  type Generation,
  readBufferHeader,
  readDmesgHeader,
  zoneSignature,
} from './format.js';
import type { Found } from './found.js';
import { type CutZone, kmsgZone, PARTITION_MULTIPLE, PSTORE_BLK_CAP, type ZoneGeometry } from './geometry.js';
import { givenDialect, hasPanicPath, keptBy } from './keys.js';
import { warnOfReasons } from './reason-words.js';
import { countHidden } from './recovery.js';
import { straysOf } from './strays.js';

/** @param seen what probeZones() found in the same storage */
export function openZones(context: OpenContext, generation: Generation, seen?: Detected): Records<ZonePlaces> {
  const { keys, warnings, path } = context;
  const storage = partition(context, generation);
  const found = findGeometry(context, storage, generation, storage === context.storage ? seen : undefined);
  const abi = keys.abi() ?? found.detected?.abi ?? DEFAULT_ABI;
  const kept = keptBy(keys, found.geometry.dialect);
  const panic = hasPanicPath(keys) ? storage.medium : null;
  const engine = new ZoneEngine(storage.medium, found.geometry, abi, warnings, { ...kept, panic });
  engine.recover();
  const strays = straysOf(found);
  const strayOffsets = strays.map(({ offset }) => offset);
  // Where other sizes fit better, that is what is said, and says more.
  if (!warnings.list.some(({ code }) => code === 'geometry-mismatch')) warnOfStrays(strayOffsets, warnings, path);
  warnOfHiddenZones(engine, storage, warnings, path);
  warnOfForeign(found, context);
  warnOfReasons(engine, storage, warnings);
  // What is after a kernel's cap was never a zone's.
  const cut = storage.size < context.storage.size ? undefined : findCut(storage, found.geometry, abi);
  if (cut) warnOfCut(cut, storage, warnings);
  const described = describe(found, abi, keys, strayNote(strayOffsets));
  // There may be hundreds of thousands of marks, which nobody needs any more.
  const lasting: Found = { ...found, detected: found.detected && { ...found.detected, marks: [] } };
  const kallsyms = keys.text('kallsyms');
  const compress = keys.choice<CompressionChoice>('compress', ['auto', 'none', ...COMPRESSIONS]) ?? 'auto';
  const places = new ZonePlaces({
    path,
    storage,
    engine,
    warnings,
    symbols:
      kallsyms === undefined ? undefined : parseKallsyms(context.readFile(kallsyms, COMPANIONS.kallsyms), kallsyms),
    cut,
    isSizeGiven: found.given.has('kmsgSize'),
    strays: strays.slice(0, MAX_STRAYS),
    openDialect: found.detected?.told.isOpen ? nothingTells(found.geometry.dialect) : undefined,
    guessed: (type) =>
      contradiction(warnings) ?? whyGuessed(type, lasting, path) ?? foreignZone(type, engine, storage, lasting),
    described,
  });
  return new Records(places, context.cache, compress);
}

/** A partition that was used by kernels of both generations shows the records of one of them. */
function warnOfForeign({ detected, geometry: { generation } }: Found, { warnings, path, keys }: OpenContext): void {
  const { foreign = [] } = detected ?? {};
  if (foreign.length === 0) return;
  const other = generation === 'blkoops' ? 'pstore_blk' : 'blkoops';
  const count = foreign.length === 1 ? '1 header of a record' : `${foreign.length} headers of records`;
  const what = `${count} as ${other} writes them, too (the first at 0x${foreign[0]!.toString(16)})`;
  const source = sourceText(other, path, keys, '');
  warnings.add('header-stray', `${path} has ${what}: the source ${source} shows what they hold`, foreign[0]!);
}

/** The part of the storage that is the partition: checked as the kernel checks it, and capped as it caps it. */
function partition(context: OpenContext, generation: Generation): SurvivingStorage {
  const { storage, keys, warnings, path } = context;
  const wrong = (what: string) => new PstoreError('EBADMSG', `${path}: ${what}`, { path });
  if (storage.size === 0) throw wrong('the file is empty');
  if (storage.size < PARTITION_MULTIPLE) {
    throw wrong(`too few bytes for a ${generation} partition (${storage.size}), which has at least 4096`);
  }
  const rest = storage.size % PARTITION_MULTIPLE;
  if (rest !== 0) {
    const odd = `${storage.size} bytes are not a multiple of 4096, so this is no whole ${generation} partition`;
    if (!keys.flag('salvage'))
      throw wrong(`${odd}; add ,salvage where the image was cut; pstorefuse scan finds the images in a larger file`);
    warnings.add('zone-truncated', `${path}: ${odd}; it is read as far as it goes`, storage.size);
  }
  if (storage.size <= PSTORE_BLK_CAP || keys.flag('no_cap') || !dialectOf(context, generation).isCapped) return storage;
  const what = `${path}: a kernel uses only the first 128 MiB of ${storage.size} bytes, and so is done here`;
  warnings.add('image-capped', `${what}; no_cap reads all of it`, PSTORE_BLK_CAP);
  return storage.part(0, PSTORE_BLK_CAP);
}

/** Which dialect a large partition is of, as its beginning tells. */
function dialectOf({ keys, storage }: OpenContext, generation: Generation): ZoneDialect {
  const seen = () => detectZones(storage, { generation, until: SHORT_SEARCH })?.told.dialect;
  return givenDialect(keys, generation) ?? seen() ?? dialectsOf(generation)[0]!;
}

/** The zone after the last whole one, when its header says that there was one. */
function findCut(storage: Storage, geometry: ZoneGeometry, abi: Abi): CutZone | undefined {
  if (geometry.kmsgSize === 0) return undefined;
  const zone = kmsgZone(geometry, geometry.kmsgCount);
  const bufferSize = BUFFER_HEADER_SIZE[geometry.generation];
  const head = readRange(storage, zone.offset, bufferSize + dmesgHeaderSize(abi));
  if (head.length < bufferSize + dmesgHeaderSize(abi)) return undefined;
  const { sig, datalen } = readBufferHeader(head, geometry.generation, abi);
  const { magic } = readDmesgHeader(head.subarray(bufferSize), abi);
  return sig === zoneSignature('dmesg') || magic === DMESG_MAGIC ? { zone, datalen } : undefined;
}

function warnOfCut({ zone }: CutZone, { path, size }: Storage, warnings: Warnings): void {
  const what = `${path}: the image ends inside dmesg zone ${zone.index} at offset ${zone.offset}`;
  const there = `${size - zone.offset} of its ${zone.size} bytes are there`;
  const sentence = `${what}, ${there}; a kernel has no such zone, and salvage shows what can be read of it`;
  warnings.add('zone-truncated', sentence, zone.offset);
}

/** blkoops stops at the first zone without a signature: what stands after it is not shown, but not passed over in silence. */
function warnOfHiddenZones(engine: ZoneEngine, storage: Storage, warnings: Warnings, path: string): void {
  const { geometry, abi, dmesg, nextZone } = engine;
  const { backend, unsigned } = geometry.dialect;
  if (unsigned !== 'ends' || dmesg.length === 0 || dmesg.state(nextZone) !== ZoneState.Unsigned) return;
  const { records, erased } = countHidden(storage, geometry, abi, nextZone);
  if (records + erased === 0) return;
  const stop = kmsgZone(geometry, nextZone).offset;
  const zones = (count: number) => (count === 1 ? '1 zone' : `${count} zones`);
  const shown =
    records > 0
      ? [`${zones(records)} after it that hold${records === 1 ? 's' : ''} data can be seen with salvage`]
      : [];
  const gone = erased > 0 ? [`${zones(erased)} after it ${erased === 1 ? 'was' : 'were'} erased`] : [];
  const what = `${path}: dmesg zone ${nextZone} at offset ${stop} has no signature, where ${backend} stops looking`;
  warnings.add('zone-invalid', `${what}; ${[...shown, ...gone].join(', and ')}`, stop);
}

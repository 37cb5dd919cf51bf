// The backend ramoops: a region of persistent RAM, as a file of its own or inside a larger one.

import { firstOther } from '../bytes.js';
import { COMPRESSIONS } from '../compress/codec.js';
import type { CompressionChoice } from '../compress/decompress.js';
import { PstoreError } from '../errors.js';
import { ABI_NAMES, type Abi } from '../pstore/abi.js';
import { contradiction } from '../pstore/geometry.js';
import { parseKallsyms } from '../pstore/kallsyms.js';
import { SourceKeys, sourceText } from '../pstore/keys.js';
import { type BackendKind, type Finding, HEAD, type OpenContext } from '../pstore/kind.js';
import { maxReasonOf } from '../pstore/max-reason.js';
import { FRONT_ENDS } from '../pstore/record-type.js';
import { Records } from '../pstore/records.js';
import { strayNote, warnOfStrays } from '../pstore/strays.js';
import { COMPANIONS } from '../storage/companion.js';
import { nextRun, readRange, type Storage } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import { Warnings } from '../warnings.js';
import { ramAnywhere } from './anywhere.js';
import { RamPlaces } from './backend.js';
import { holdsConsole, holdsDump } from './contents.js';
import { describe, whyGuessed } from './describe.js';
import { deviceTreeRegion } from './device-tree.js';
import { DIALECTS } from './dialects.js';
import { AS_GIVEN, type Found, findGeometry, type GeometryContext, type Wanted } from './find-geometry.js';
import { ftraceVersionCode, RAM_HEADER_SIZE, RAM_SIGNATURE, readDumpLine, readRamHeader } from './format.js';
import { layOutRam, NO_RAM_ZONES, ramZones } from './geometry.js';
import { GEOMETRY_KEYS, givenDialects, givenSizes } from './keys.js';
import { FAR, type Located, locate, MAX_SIGNATURES, type Scanned, scan, straysOf } from './region.js';
import { commandLine, type ToldRegion } from './told.js';
import { PersistentRamZone } from './zone.js';

export const ramoops: BackendKind = {
  name: 'ramoops',
  summary: 'a dump of the memory region of ramoops (persistent RAM)',
  keys: [
    ...Object.values(GEOMETRY_KEYS),
    'kmsg_size',
    'cmdline',
    'dtb',
    'compress',
    'abi',
    'max_reason',
    'dump_oops',
    'kallsyms',
  ],
  types: FRONT_ENDS,
  source: 'file',
  isMemory: true,
  isAskedFirst: (head) => (['little', 'big'] as const).some((endian) => beginsWithDump(head, endian)),
  probe,
  open,
  anywhere: ramAnywhere,
  format,
};

function open(context: OpenContext): Records {
  const { keys, path, storage, warnings } = context;
  if (storage.size <= RAM_HEADER_SIZE) {
    throw new PstoreError('EBADMSG', `${path}: too few bytes for a region of ramoops (${storage.size})`, { path });
  }
  // A device tree may give an address anywhere in a dump of all memory.
  const scanned = scannedOf(storage, keys.abi()?.endian, keys.has('dtb') || keys.has('cmdline'));
  const wanted = wantedOf(context, scanned);
  const found = findGeometry(context, scanned, wanted);
  const described = describe(found, keys);
  const source = sourceText('ramoops', path, keys, described.sourceKeys);
  sayWhere(context, scanned, found, source);
  saySearched(context, scanned);
  const strays = findStrays(context, scanned, found);
  const kallsyms = keys.text('kallsyms');
  const compress = keys.choice<CompressionChoice>('compress', ['auto', 'none', ...COMPRESSIONS]) ?? 'auto';
  const places = new RamPlaces({
    path,
    storage,
    geometry: found.geometry,
    abi: keys.abi() ?? (found.endian === 'little' ? ABI_NAMES.le64! : ABI_NAMES.be64!),
    abiGiven: keys.has('abi'),
    warnings,
    maxReason: maxReasonOf(keys),
    symbols:
      kallsyms === undefined ? undefined : parseKallsyms(context.readFile(kallsyms, COMPANIONS.kallsyms), kallsyms),
    guessed: (type) => contradiction(warnings) ?? whyGuessed(type, found, source),
    described,
    strays,
    notes: notesOf(found, strays),
  });
  return new Records(places, context.cache, compress);
}

/** What keys, a command line and a device tree say: what is given by hand counts most. */
function wantedOf(context: OpenContext, { marks }: Scanned): Wanted {
  const { keys, storage } = context;
  const told = toldBy(context);
  const given = { ...told?.sizes, ...givenSizes(keys) };
  const address = told?.address;
  // A dump of all memory that begins at address 0 has the region at its address.
  const base = address !== undefined && address < storage.size && marks.plain.has(address) ? address : undefined;
  return { given, dialects: givenDialects(keys), base, told };
}

/** @throws PstoreError EBADMSG where the file says nothing of a region; ENOENT, EACCES */
function toldBy({ keys, readFile }: OpenContext): ToldRegion | undefined {
  const [cmdline, dtb] = [keys.text('cmdline'), keys.text('dtb')];
  const tree = dtb === undefined ? undefined : deviceTreeRegion(readFile(dtb, COMPANIONS.dtb), dtb);
  if (cmdline === undefined) return tree;
  const line = commandLine(
    String.fromCharCode(...readFile(cmdline, COMPANIONS.cmdline).subarray(0, COMPANIONS.cmdline.most)),
  );
  if (!line) {
    const what = 'no ramoops.mem_size= stands in it; give a file with the kernel command line (/proc/cmdline)';
    throw new PstoreError('EBADMSG', `${cmdline}: ${what}`, { path: cmdline });
  }
  return { address: line.address ?? tree?.address, sizes: { ...tree?.sizes, ...line.sizes } };
}

/** A region inside a larger file is shown when it is certain; else it is said where one may be. */
function sayWhere(
  { path, storage, warnings, keys }: OpenContext,
  scanned: Scanned,
  found: Found,
  source: string,
): void {
  const { base, memSize, dialect } = found.geometry;
  if (dialect.frame === 'sram') {
    const what = "is the SRAM of MediaTek's ram_console, no region of ramoops: its kernel log is shown as console";
    warnings.add('region-inside', `${path} ${what}`, 0);
  }
  if (base === 0) {
    warnOfBlankFirst(storage, scanned, found, path, warnings);
    return;
  }
  const place = `offset 0x${base.toString(16)}`;
  if (dialect.frame === 'header' && !isCertain(storage, scanned, found)) {
    const what = `a region of ramoops of ${memSize} bytes is likely at ${place}, though none of its zones holds a dump or a console's lines`;
    throw new PstoreError('EBADMSG', `${path}: ${what}; if it is one, open ${source}`, { path, offset: base });
  }
  if (keys.has('offset')) return;
  warnings.add('region-inside', `${path}: a region of ramoops of ${memSize} bytes stands at ${place}: ${source}`, base);
}

/** Where nothing stands before the second zone, the region may begin only there, and its dumps have other numbers. */
function warnOfBlankFirst(
  storage: SurvivingStorage,
  { marks }: Scanned,
  { geometry, how }: Found,
  path: string,
  warnings: OpenContext['warnings'],
): void {
  const [first, second] = ramZones(geometry);
  if (!first || !second || how === AS_GIVEN || geometry.dialect.frame !== 'header') return;
  const isSigned = (offset: number) => marks.plain.has(offset) || marks.ftrace.has(offset);
  if (isSigned(0) || marks.damaged.has(0) || !isSigned(second.offset) || storage.isLost(0, second.offset)) return;
  const bytes = readRange(storage, 0, Math.min(second.offset, MAX_BLANK));
  if (firstOther(bytes, bytes[0]!) >= 0) return;
  const what = `nothing stands where its first zone would; if the region begins only at 0x${second.offset.toString(16)}`;
  warnings.add('region-inside', `${path}: ${what}, give offset=0x${second.offset.toString(16)}`, 0);
}

/** Bytes of a first zone that are looked at. */
const MAX_BLANK = 1 << 20;

/** A region that stands after what was searched is not found. */
function saySearched({ path, storage, warnings, keys }: OpenContext, { searched, isAnswered }: Scanned): void {
  // Where a region was given, what stands outside of it is nothing of it.
  if (!nextRun(storage, searched) || (isAnswered && keys.has(GEOMETRY_KEYS.memSize))) return;
  if (isAnswered) {
    const what = `only the first ${searched} bytes were searched for regions of ramoops, since one stands at its beginning`;
    warnings.add('search-ended', `${path}: ${what}; pstorefuse scan looks at all of it`, searched);
    return;
  }
  const why = `more than ${MAX_SIGNATURES} places in it look like the header of a zone`;
  const what = `only the first ${searched} bytes were searched for regions of ramoops, since ${why}`;
  warnings.add('search-ended', `${path}: ${what}; offset= and size= name a part that lies after them`, searched);
}

/** Zones of which each has its header, and one holds something: words of other things do not lie so by accident. */
const PROVING_ZONES = 4;

/** Whether anything but a few words proves that this is a region. */
function isCertain(storage: Storage, { told, marks }: Scanned, { geometry, how }: Found): boolean {
  if (geometry.ecc > 0 || (told.regions().length > 0 && how.includes('log'))) return true;
  const { endian } = marks;
  let [zones, live, missing] = [0, 0, 0];
  for (const zone of ramZones(geometry)) {
    const { offset } = zone;
    const isPlain = marks.plain.has(offset);
    if (holdsDump(storage, zone, endian) || (isPlain && holdsConsole(storage, zone, endian))) return true;
    if (!isPlain && !marks.ftrace.has(offset)) missing++;
    else if (readRamHeader(readRange(storage, offset, RAM_HEADER_SIZE), endian).size > 0) live++;
    zones++;
  }
  return zones >= PROVING_ZONES && live > 0 && missing === 0;
}

/** Headers that the zones do not explain are never silent. */
function findStrays(
  { path, warnings, keys }: GeometryContext,
  { marks }: Scanned,
  { geometry }: Found,
): readonly number[] {
  if (geometry.dialect.frame !== 'header') return [];
  // Where a region was given, what stands outside of it is nothing of it.
  const end = keys.has(GEOMETRY_KEYS.memSize) ? geometry.base + geometry.memSize : Number.POSITIVE_INFINITY;
  const begins = new Set(Array.from(ramZones(geometry), ({ offset }) => offset));
  const strays = straysOf(marks, begins).filter((offset) => offset < end);
  warnOfStrays(strays, warnings, path);
  return strays;
}

function notesOf({ geometry, how }: Found, strays: readonly number[]): Record<string, string> {
  const { dialect } = geometry;
  return {
    'sizes found': how,
    layout: `${dialect.name} (${dialect.kernels}): ${dialect.rule}`,
    ...strayNote(strays),
  };
}

// ── recognising and formatting ──

/** Of larger files just the beginning is looked through first: so many bytes, then more. */
const LARGE = 128 << 20;
const BEGINNINGS = [16 << 20, LARGE];

/** One look through a file serves recognising it and the opening that follows. @param isWhole wants all of it searched */
function scannedOf(storage: SurvivingStorage, endian?: Abi['endian'], isWhole = false): Scanned {
  return storage.once(`ramoops scan ${endian ?? 'any'} ${isWhole}`, () => {
    for (const end of storage.size > LARGE && !isWhole ? BEGINNINGS : []) {
      const beginning = scan(storage, endian, end);
      if (isAnswered(storage, beginning)) return { ...beginning, isAnswered: true };
    }
    return scan(storage, endian);
  });
}

/** Whether a region stands at the beginning of which there is nothing to warn, and after which no header of it may be. */
function isAnswered(storage: SurvivingStorage, scanned: Scanned): boolean {
  const context = { path: storage.path, storage, keys: new SourceKeys([]), warnings: new Warnings() };
  try {
    const found = findGeometry(context, scanned, { given: {}, dialects: DIALECTS, base: undefined, told: undefined });
    findStrays(context, scanned, found);
    const { base, memSize } = found.geometry;
    if (base > 0 || memSize + FAR > scanned.searched) return false;
    return isCertain(storage, scanned, found) && context.warnings.list.length === 0;
  } catch (error) {
    if (error instanceof PstoreError && (error.code === 'EBADMSG' || error.code === 'EINVAL')) return false;
    throw error;
  }
}

/** Nothing but ramoops leaves such a header, line or parity. */
const CERTAIN = 0.95;
/** A header alone stands in other formats, too. */
const POSSIBLE = 0.2;

function probe(storage: SurvivingStorage): Finding<OpenContext> | undefined {
  const sure = likelihood(storage);
  return sure > 0 ? { sure, open } : undefined;
}

function likelihood(storage: SurvivingStorage): number {
  if (storage.size <= RAM_HEADER_SIZE) return 0;
  const scanned = scannedOf(storage);
  if (scanned.isSram) return CERTAIN;
  const { marks, lines } = scanned;
  const head = readRange(storage, 0, HEAD);
  const likely = Math.max(...(['little', 'big'] as const).map((endian) => probeHeader(head, storage.size, endian)));
  if (likely >= 0.7) return likely;
  if (marks.plain.size + marks.ftrace.size === 0) {
    if (lines.length > 0) return lines[0] === 0 ? 0.8 : POSSIBLE;
    const isInvalid = [0, ...marks.damaged].some((offset) =>
      hasInvalidBuffer(readRange(storage, offset, RAM_HEADER_SIZE)),
    );
    return isInvalid ? INVALID_BUFFER : likely;
  }
  const located = locate(storage, scanned, {});
  if (located && isProven(located)) return likely > 0 ? 1 : CERTAIN;
  return Math.max(likely, POSSIBLE);
}

function isProven({ dumps, detected }: Located): boolean {
  return dumps > 0 || detected.sizes.ecc > 0;
}

/** Zones of a partition begin with the same signature, and their lengths look damaged to ramoops. */
const INVALID_BUFFER = 0.35;

/** A signature, and lengths that no region has: what barebox and U-Boot call an existing invalid buffer. */
function hasInvalidBuffer(head: Uint8Array): boolean {
  return readRamHeader(head, 'little').sig === RAM_SIGNATURE || readRamHeader(head, 'big').sig === RAM_SIGNATURE;
}

/** Whether the first zone's header and the line of a dump stand there. */
function beginsWithDump(head: Uint8Array, endian: Abi['endian']): boolean {
  if (head.length <= RAM_HEADER_SIZE) return false;
  const { sig, start, size } = readRamHeader(head, endian);
  return sig === RAM_SIGNATURE && start <= size && readDumpLine(head.subarray(RAM_HEADER_SIZE)) !== undefined;
}

/** What the first zone's header and the bytes after it say. */
function probeHeader(head: Uint8Array, size: number, endian: Abi['endian']): number {
  const { sig, start, size: used } = readRamHeader(head, endian);
  if (beginsWithDump(head, endian)) return 1;
  if (start > used || used > size - RAM_HEADER_SIZE) return 0;
  if (ftraceVersionCode(sig) !== undefined) return used === 0 ? 0.3 : 0.6;
  if (sig !== RAM_SIGNATURE) return 0;
  // So begins an empty partition of pstore_blk, too.
  if (used === 0) return 0.5;
  return 0.7;
}

/** A header without data for every zone, with its parity, and 0xFF elsewhere: a kernel shows nothing for it. */
function format(storage: Storage, keys: SourceKeys): void {
  const dialect = givenDialects(keys)[0] ?? DIALECTS[0]!;
  if (dialect.frame === 'sram') throw new PstoreError('EINVAL', `dialect=${dialect.name} is only read`);
  const order = dialect.orders[0]!;
  const sizes = { ...NO_RAM_ZONES, memSize: storage.size, order, dialect, ...givenSizes(keys) };
  if (sizes.memSize > storage.size) {
    throw new PstoreError(
      'EINVAL',
      `${storage.path} has ${storage.size} bytes, but mem_size=${sizes.memSize} is asked`,
    );
  }
  const geometry = layOutRam(sizes, storage.path);
  const endian = keys.abi()?.endian ?? 'little';
  const blank = new Uint8Array(Math.min(storage.size, 1 << 20)).fill(0xff);
  for (let at = 0; at < storage.size; at += blank.length) {
    storage.write(blank.subarray(0, Math.min(blank.length, storage.size - at)), at);
  }
  for (const zone of ramZones(geometry)) new PersistentRamZone(storage, zone, endian).initialize();
  storage.sync();
}

// What in an image speaks against the geometry that it is read by: against given sizes, and against those that are a guess.

import { abiName } from '../pstore/abi.js';
import { inUnits } from '../pstore/geometry.js';
import { type SourceKeys, sourceText } from '../pstore/keys.js';
import type { Warnings } from '../warnings.js';
import { type Detected, fittingMarks } from './detect.js';
import { isDmesgFirst } from './dialects.js';
import type { Found } from './found.js';
import { PARTITION_MULTIPLE, ZONE_MULTIPLE, type ZoneGeometry } from './geometry.js';
import { RING_SIZES } from './keys.js';

/** Sizes that were given and do not fit, and sizes that are only a guess, are both said. */
export function checkAgainstImage(found: Found, keys: SourceKeys, warnings: Warnings, path: string): void {
  const { detected, geometry, given } = found;
  if (!detected) {
    warnings.add('image-fresh', `${path}: no zone signature is found in it; it is shown as the sizes say, as empty`);
    return;
  }
  const otherMachine = wrongMachine(detected, keys);
  for (const mismatch of otherMachine ? [otherMachine] : mismatches(detected, geometry, given)) {
    warnings.add('geometry-mismatch', `${path}: ${mismatch}`);
  }
  if (found.begins !== undefined) {
    warnings.add('geometry-guess', `${path}: ${notAtBeginning(found, sourceOfPart(found, keys, path))}`, found.begins);
  }
  if (detected.told.isWeak) {
    const { name, kernels } = detected.told.dialect;
    const why = `hardly more than one header says that it is of ${kernels}`;
    warnings.add('geometry-guess', `${path}: ${why}; give dialect=${name} to be sure, or dialect=mainline`);
  }
  warnOfGuesses(found, detected, warnings, path);
}

const ALL_SIZES = 'kmsg_size=, pmsg_size=, console_size= and ftrace_size=';

/** What of the dmesg zones is only a guess, or has something against it. */
function warnOfGuesses({ geometry, given, isFirstGuess }: Found, detected: Detected, warnings: Warnings, path: string) {
  const guess = (sentence: string, offset?: number) => warnings.add('geometry-guess', `${path}: ${sentence}`, offset);
  if (isFirstGuess && geometry.kmsgCount > 0) {
    const { kmsgOffset } = geometry;
    const what = `whether other dmesg zones stand before the one at ${kmsgOffset}, which is shown as zone 0, is not known`;
    guess(`${what}: the numbers may be too low; give ${ALL_SIZES} as the kernel had them`, kmsgOffset);
  }
  if (given.has('kmsgSize')) return;
  const size = `kmsg_size=${inUnits(geometry.kmsgSize)}`;
  const { doubt } = detected.stride ?? {};
  if (doubt) {
    const why = `${doubt.what}: ${size} may be wrong, or ${doubt.or}`;
    guess(`${why}; give kmsg_size= as the kernel had it`, doubt.offset);
  }
  if (!detected.marks.some((mark) => mark.type === 'dmesg') || detected.confidence.kmsgSize >= 0.5) return;
  guess(`${size} is only a guess, from one record; give the size that the kernel had`);
}

/** What the headers show of the machine, where a given abi= says something else. */
function wrongMachine({ abi, alignProven }: Detected, keys: SourceKeys): string | undefined {
  const given = keys.abi();
  const fits = (what: string) => `headers of this image are ${what}, abi=${keys.text('abi')} is given; leave it out`;
  if (given && given.endian !== abi.endian) return fits(`${abi.endian}-endian`);
  if (given && alignProven && given.align !== abi.align) {
    return fits(`of a machine that aligns 64-bit integers to ${abi.align} bytes (abi=${abiName(abi)})`);
  }
  return undefined;
}

/** A partition in a larger image as a SOURCE. Nothing is typed where the image is itself a part that was named. */
function sourceOfPart(found: Found, keys: SourceKeys, path: string): string | undefined {
  if (keys.has('offset') || keys.has('part')) return undefined;
  const part = partKeys(found).join(',');
  return part === '' ? undefined : sourceText(found.geometry.generation, path, keys, part);
}

/** What names a partition that begins after the image does. */
export function partKeys({ begins = 0, geometry: { total, generation } }: Found): readonly string[] {
  if (begins === 0 || (begins % ZONE_MULTIPLE !== 0 && generation === 'pstore_blk')) return [];
  const size = Math.floor((total - begins) / PARTITION_MULTIPLE) * PARTITION_MULTIPLE;
  return [`offset=${inUnits(begins)}`, `size=${inUnits(size)}`];
}

/** @param source what to type, where that is known */
export function notAtBeginning({ begins = 0, geometry }: Pick<Found, 'begins' | 'geometry'>, source?: string): string {
  if (begins % ZONE_MULTIPLE !== 0 && geometry.generation === 'pstore_blk') {
    return (
      `the first zone header stands at ${begins}, which is no multiple of ${ZONE_MULTIPLE}: the partition does not begin ` +
      'where this image does; give offset= and size= of the partition in it'
    );
  }
  const place = inUnits(begins);
  return (
    `the first zone header stands at ${place}, not at the beginning: if this is a larger image, give offset=${place} ` +
    `and the size= of the partition in it${source === undefined ? '' : `, as in ${source}`}; else give the sizes that the kernel had`
  );
}

function* mismatches(detected: Detected, geometry: ZoneGeometry, given: Found['given']): Generator<string> {
  const { marks } = detected;
  const limit = isDmesgFirst(geometry.dialect) ? geometry.total : (detected.kmsgOffset ?? geometry.total);
  if (geometry.kmsgSize === 0 && given.has('kmsgSize') && detected.stride) {
    const { size } = detected.stride;
    const before = RING_SIZES.filter((name) => given.has(name)).reduce((sum, name) => sum + geometry[name], 0);
    const { fit } = fittingMarks(marks, isDmesgFirst(geometry.dialect) ? 0 : before, 1);
    if (fit > 0) {
      yield `zones of ${inWords(size)} fit this image (it has ${fit} record headers), ` +
        `kmsg_size=0 leaves them out; give kmsg_size=${inUnits(size)}`;
    }
  }
  if (geometry.kmsgSize > 0 && detected.stride) {
    const { base, size: better } = detected.stride;
    const now = fittingMarks(marks, geometry.kmsgOffset, geometry.kmsgSize);
    const best = fittingMarks(marks, base, better);
    const divides =
      given.has('kmsgSize') && geometry.kmsgSize < better && better % geometry.kmsgSize === 0 && best.fit > 2;
    if (now.fit < best.fit || divides) {
      if (geometry.kmsgSize !== better && given.has('kmsgSize')) {
        yield `zones of ${inWords(better)} fit this image (${best.fit} of ${best.of} record headers), ` +
          `zones of ${inWords(geometry.kmsgSize)} do not (${divides ? 'there are none between them' : `${now.fit} of ${now.of}`}); give kmsg_size=${inUnits(better)}`;
      } else {
        yield `the dmesg zones of this image begin at ${base} (${best.fit} of ${best.of} record headers), ` +
          `not at ${geometry.kmsgOffset} (${now.fit} of ${now.of}), where the given sizes put them`;
      }
    }
  }
  if (!RING_SIZES.some((name) => given.has(name))) return;
  const placed = new Map(geometry.rings.map((zone) => [zone.offset, zone.type]));
  for (const mark of marks) {
    if (mark.type === 'dmesg' || mark.offset >= limit || placed.get(mark.offset) === mark.type) continue;
    yield `a ${mark.type} zone begins at ${mark.offset} in this image, but not with the given sizes`;
    return;
  }
}

export function inWords(size: number): string {
  return size % 1024 === 0 ? `${size / 1024} KiB` : `${size} bytes`;
}

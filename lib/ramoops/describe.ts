// What is said of a geometry that was found: for `info`, for a kernel's command line, for a SOURCE that opens it again.

import type { BackendInfo } from '../pstore/backend.js';
import type { SourceKeys } from '../pstore/keys.js';
import type { Found } from './find-geometry.js';
import { type RamKind, runOf } from './geometry.js';
import { GEOMETRY_KEYS, isTold, keyText, NAMES, type Name } from './keys.js';

/** Parameters that the module ramoops has; the others are the machine's, or a device tree's. */
const PARAMETERS: ReadonlySet<Name> = new Set([
  'memSize',
  'recordSize',
  'consoleSize',
  'ftraceSize',
  'pmsgSize',
  'ecc',
]);

/** @param source the SOURCE with the best guess. @returns the sentence that says what to give */
export function whyGuessed(type: RamKind, found: Found, source: string): string | undefined {
  if (found.certain.has(type)) return undefined;
  const own = type === 'dmesg' ? 'record_size=' : `${type.replace('-', '_')}_size=`;
  const guessed = NAMES.filter((name) => found.confidence[name] < 1 && isTold(name, found.geometry));
  const keys = guessed.map((name) => `${GEOMETRY_KEYS[name]}=`);
  const isThere = runOf(found.geometry, type) !== undefined;
  if (keys.length === 0 || !(isThere || keys.includes(own))) keys.unshift(own);
  const why = isThere
    ? `where the ${type} zones lie is only a guess, and a guess never places a write`
    : `no ${type} zone is found in it`;
  const them = keys.length === 1 ? 'it' : 'them';
  return `${why}; give ${keys.join(', ')} as the kernel had ${them}, in place of the guess ${source}`;
}

export type Description = Pick<BackendInfo, 'geometry' | 'confidence' | 'kernelParameters' | 'sourceKeys'>;

export function describe(found: Found, keys: SourceKeys): Description {
  const { geometry, endian, confidence } = found;
  const told = NAMES.filter((name) => isTold(name, geometry));
  const dmesg = runOf(geometry, 'dmesg');
  const abi = keys.text('abi') ?? (endian === 'big' ? 'be64' : undefined);
  const { base, memSize, dialect } = geometry;
  const isPart = base > 0 && !keys.has('offset') && !keys.has('size');
  // A tty zone is made by our own format only: no parameters of a kernel put its other zones where they are.
  const hasParameters = geometry.ttySize === 0 && dialect.frame !== 'sram';
  return {
    geometry: {
      ...Object.fromEntries(
        told.map((name) => [GEOMETRY_KEYS[name], name === 'dialect' ? dialect.name : geometry[name]]),
      ),
      ...(dialect.frame === 'sram' ? {} : { dmesg_zones: dmesg?.count ?? 0, dmesg_zone_size: dmesg?.zoneSize ?? 0 }),
    },
    confidence: Object.fromEntries(told.map((name) => [GEOMETRY_KEYS[name], confidence[name]])),
    kernelParameters: told
      .filter((name) => PARAMETERS.has(name) && hasParameters)
      .map((name) =>
        name === 'ecc'
          ? `ramoops.ecc=${geometry.ecc}`
          : `ramoops.${GEOMETRY_KEYS[name]}=0x${geometry[name].toString(16)}`,
      ),
    sourceKeys: [
      ...(isPart ? [`offset=0x${base.toString(16)}`, `size=0x${memSize.toString(16)}`] : []),
      ...told.filter((name) => !(isPart && name === 'memSize')).map((name) => keyText(name, geometry)),
      ...(abi === undefined ? [] : [`abi=${abi}`]),
    ].join(','),
  };
}

// VMware's `<vm>.nvram`: a row of blocks, one of which holds EFI variables, one after the other without any padding.
// Facts: virt-firmware varstore/vmware.py, and descriptions of real files; not checked against VMware itself.

import { isGuidAt } from '../guid.js';
import { Extent } from '../storage/extent.js';
import { occurrences } from '../storage/occurrences.js';
import { readRange } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import { Window } from '../storage/window.js';
import { CRASH_GUID_BYTES } from './dump-name.js';
import { FoundVariables } from './place.js';
import { type EfiVariable, MAX_NAME_SIZE, readName } from './variable.js';

export const VMWARE_MAGIC = 'MRVN';
const STORE_MAGIC = new TextEncoder().encode('VMWNVRAM');
/** `VMWNVRAM`, u32, u32 length from the `V` on. */
const STORE_HEADER = 16;
const LENGTH_AT = 12;
/** GUID, attributes, size of name and data together, size of the name. */
const ENTRY_HEADER = 28;
/** EFI_VARIABLE_TIME_BASED_AUTHENTICATED_WRITE_ACCESS: a time stamp and a digest stand in front of the data. */
const AUTHENTICATED = 0x20;
const AUTHENTICATED_SIZE = 40;
/** Blocks in front of the store are some kilobytes. */
export const MAX_VMWARE_FILE = 16 << 20;

export interface VmwareStore {
  readonly offset: number;
  readonly size: number;
  readonly variables: FoundVariables;
  /** First byte after the last variable. */
  readonly end: number;
  /** What is not as it should be, or null. */
  readonly damage: string | null;
}

/** @returns undefined for a file that is none of VMware's, or has no variables of EFI */
export function readVmware(storage: SurvivingStorage): VmwareStore | undefined {
  if (storage.size > MAX_VMWARE_FILE) return undefined;
  if (String.fromCharCode(...readRange(storage, 0, VMWARE_MAGIC.length)) !== VMWARE_MAGIC) return undefined;
  for (const offset of occurrences(storage, STORE_MAGIC, 0, storage.size)) {
    const head = readRange(storage, offset, STORE_HEADER);
    if (head.length < STORE_HEADER) return undefined;
    const length = new DataView(head.buffer, head.byteOffset).getUint32(LENGTH_AT, true);
    const size = Math.min(length, storage.size - offset);
    const variables = new FoundVariables();
    const { end, broken } = walk(storage, { from: offset + STORE_HEADER, limit: offset + size, variables });
    const cut = `the variable store has ${length} bytes, but only ${size} are there: was it cut?`;
    const gone = `no whole variable stands at offset ${broken}, where the sizes before it end: of those after it only dumps are found`;
    const damages = [...(size < length ? [cut] : []), ...(broken === undefined ? [] : [gone])];
    return { offset, size, variables, end, damage: damages.join('; ') || null };
  }
  return undefined;
}

interface Range {
  readonly from: number;
  readonly limit: number;
  /** Takes what is found. */
  readonly variables: FoundVariables;
}

/**
 * All variables of a store. After one that is damaged the walk goes on where a dump begins.
 * @returns the first byte after the last one, and where the walk first came to no whole variable though the store goes on
 */
function walk(storage: SurvivingStorage, { from, limit, variables }: Range): { end: number; broken?: number } {
  let end = from;
  const goOn = (at: number) => {
    for (const variable of entries(storage, at, limit)) {
      variables.add(variable);
      end = variable.offset + variable.size;
    }
  };
  goOn(from);
  const rest = readRange(storage, end, Math.min(ENTRY_HEADER, limit - end));
  if (rest.every((byte) => byte === 0) || rest.every((byte) => byte === BLANK)) return { end };
  const broken = end;
  for (const at of occurrences(storage, CRASH_GUID_BYTES, broken + 1, limit)) if (at >= end) goOn(at);
  return { end, broken };
}

const BLANK = 0xff;

function* entries(storage: SurvivingStorage, from: number, limit: number): Generator<EfiVariable> {
  const window = new Window(storage);
  for (let at = from; at + ENTRY_HEADER <= limit; ) {
    const head = window.bytes(at, ENTRY_HEADER).slice();
    if (head.length < ENTRY_HEADER) return;
    const fields = new DataView(head.buffer, head.byteOffset);
    const attributes = fields.getUint32(16, true);
    const entrySize = fields.getUint32(20, true);
    const nameSize = fields.getUint32(24, true);
    const extra = attributes & AUTHENTICATED ? AUTHENTICATED_SIZE : 0;
    const end = at + ENTRY_HEADER + entrySize;
    const dataOffset = at + ENTRY_HEADER + nameSize + extra;
    if (nameSize > MAX_NAME_SIZE || end > limit || dataOffset > end) return;
    const name = nameOf(window.bytes(at + ENTRY_HEADER, nameSize));
    if (name === undefined) return;
    const data = Extent.at(storage.medium, dataOffset, end - dataOffset);
    const isDump = isGuidAt(head, 0, CRASH_GUID_BYTES);
    yield { name, isDump, attributes, state: 'live', offset: at, size: end - at, head, data };
    at = end;
  }
}

/** Nobody says whether the NUL always belongs to the name's size: a name is read with it and without it. */
function nameOf(bytes: Uint8Array): string | undefined {
  return readName(bytes) ?? readName(new Uint8Array([...bytes.subarray(0, MAX_NAME_SIZE), 0, 0]));
}

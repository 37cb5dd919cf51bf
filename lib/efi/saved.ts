// Variables that somebody, or a program, has saved in a file: efivar's and dmpstore's exports, U-Boot's and QEMU's stores,
// and bare data. Facts: rhboot/efivar src/export.c; EBBR chapter 5 (U-Boot); QEMU hw/uefi/var-service-json.c.

import { crc32 } from '../crc32.js';
import { GUID_SIZE, isGuidAt } from '../guid.js';
import { readRange, type Storage } from '../storage/storage.js';
import { CRASH_GUID, CRASH_GUID_BYTES, dumpNameInFile } from './dump-name.js';
import { FoundVariables } from './place.js';
import { DUMP_ATTRIBUTES, type EfiVariable, MAX_NAME_SIZE, readName } from './variable.js';

/** Variables of a file that holds nothing else. */
export interface SavedVariables {
  /** As `info` names it. */
  readonly format: string;
  readonly variables: FoundVariables;
  /** Whether the data of each are a part of the file's own bytes, and nothing that was made of them. */
  readonly isVerbatim: boolean;
  /** What is not as it should be, or null. */
  readonly damage: string | null;
}

/** A file of saved variables that is larger is none. */
export const MAX_SAVED = 16 << 20;

type Reader = (bytes: Uint8Array) => SavedVariables | undefined;

/**
 * What a file holds by its bytes alone, or by its name where the bytes say nothing.
 * @param fileName the last part of its path
 */
export function readSaved(storage: Storage, fileName: string): SavedVariables | undefined {
  const { size } = storage;
  if (size === 0 || size > MAX_SAVED) return undefined;
  const head = readRange(storage, 0, HEAD);
  const named = dumpNameInFile(fileName);
  if (named === undefined && !READERS.some(({ begins }) => begins(head, size))) return undefined;
  const bytes = readRange(storage, 0, size);
  for (const { begins, read } of READERS) {
    const found = begins(head, size) ? read(bytes) : undefined;
    if (found) return found;
  }
  return named === undefined ? undefined : readBare(bytes, named);
}

/** Bytes of a file that tell its format. */
const HEAD = 32;

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

type Field = Pick<EfiVariable, 'name' | 'isDump' | 'attributes' | 'offset' | 'size' | 'data'>;

function variable({ name, isDump, attributes, offset, size, data }: Field): EfiVariable {
  return { name, isDump, attributes, state: 'live', offset, size, head: new Uint8Array(0), data };
}

function one(field: Field): FoundVariables {
  const found = new FoundVariables();
  found.add(variable(field));
  return found;
}

function isDumpAt(bytes: Uint8Array, offset: number): boolean {
  return isGuidAt(bytes, offset, CRASH_GUID_BYTES);
}

// ── efivar --export ──

const EFIVAR_MAGIC = 0xf3df_1597;
/** magic, version, attributes (8), GUID, name length, data length */
const EFIVAR_HEADER = 40;
const CRC_SIZE = 4;

function readEfivar(bytes: Uint8Array): SavedVariables | undefined {
  if (bytes.length < EFIVAR_HEADER) return undefined;
  const fields = view(bytes);
  const nameSize = fields.getUint32(32, true);
  const dataSize = fields.getUint32(36, true);
  const end = EFIVAR_HEADER + nameSize + dataSize;
  const name = readName(bytes.subarray(EFIVAR_HEADER, EFIVAR_HEADER + Math.min(nameSize, MAX_NAME_SIZE + 1)));
  if (name === undefined) return undefined;
  const data = bytes.subarray(EFIVAR_HEADER + nameSize, end);
  const attributes = fields.getUint32(8, true);
  return {
    format: 'a variable that efivar has exported',
    variables: one({ name, isDump: isDumpAt(bytes, 16), attributes, offset: 0, size: bytes.length, data }),
    isVerbatim: true,
    damage: efivarDamage(bytes, end),
  };
}

/** @param end where the checksum stands */
function efivarDamage(bytes: Uint8Array, end: number): string | null {
  const size = end + CRC_SIZE;
  if (size > bytes.length)
    return `it should have ${size} bytes, and has ${bytes.length}: it was cut, or a size in it is wrong`;
  const isSound = crc32(bytes.subarray(0, end)) === view(bytes).getUint32(end, true);
  return isSound ? null : 'its checksum does not fit: bytes of it are wrong';
}

// ── dmpstore -s ──

/** name size, data size, name, GUID, attributes, data, CRC */
const DMPSTORE_SIZES = 8;

function readDmpstore(bytes: Uint8Array): SavedVariables | undefined {
  const variables = new FoundVariables();
  let wrong = 0;
  let at = 0;
  for (;;) {
    const found = dmpstoreEntry(bytes, at);
    if (!found) break;
    variables.add(found.variable);
    if (!found.isSound) wrong++;
    at = found.variable.offset + found.variable.size;
  }
  if (variables.count === 0) return undefined;
  const damages = [
    ...(wrong > 0 ? [`the checksums of ${wrong} of its ${variables.count} variables do not fit`] : []),
    ...(at < bytes.length ? [`no variable begins at offset ${at}, though the file goes on`] : []),
  ];
  return {
    format: 'variables that dmpstore has saved',
    variables,
    isVerbatim: true,
    damage: damages.join('; ') || null,
  };
}

function dmpstoreEntry(bytes: Uint8Array, at: number): { variable: EfiVariable; isSound: boolean } | undefined {
  if (at + DMPSTORE_SIZES > bytes.length) return undefined;
  const fields = view(bytes);
  const nameSize = fields.getUint32(at, true);
  const dataSize = fields.getUint32(at + 4, true);
  const guidAt = at + DMPSTORE_SIZES + nameSize;
  const dataAt = guidAt + GUID_SIZE + 4;
  const end = dataAt + dataSize;
  if (nameSize > MAX_NAME_SIZE || end + CRC_SIZE > bytes.length) return undefined;
  const name = readName(bytes.subarray(at + DMPSTORE_SIZES, guidAt));
  if (name === undefined) return undefined;
  return {
    variable: variable({
      name,
      isDump: isDumpAt(bytes, guidAt),
      attributes: fields.getUint32(guidAt + GUID_SIZE, true),
      offset: at,
      size: end + CRC_SIZE - at,
      data: bytes.subarray(dataAt, end),
    }),
    isSound: crc32(bytes.subarray(at, end)) === fields.getUint32(end, true),
  };
}

// ── U-Boot's ubootefi.var ──

const UBOOT_MAGIC = [0x55, 0x62, 0x45, 0x66, 0x69, 0x56, 0x61] as const;
/** reserved (8), magic (7), revision, length, CRC of what follows */
const UBOOT_HEADER = 24;
/** data size, attributes, time (8), GUID; then the name, the data, and NULs up to a multiple of 8 */
const UBOOT_ENTRY = 32;
const UBOOT_ALIGNMENT = 8;

function readUboot(bytes: Uint8Array): SavedVariables | undefined {
  if (bytes.length < UBOOT_HEADER) return undefined;
  const fields = view(bytes);
  const length = Math.min(fields.getUint32(16, true), bytes.length);
  const variables = new FoundVariables();
  for (let at = UBOOT_HEADER; at + UBOOT_ENTRY <= length; ) {
    const nameAt = at + UBOOT_ENTRY;
    const dataAt = endOfName(bytes, nameAt, length);
    const end = dataAt + fields.getUint32(at, true);
    const name = readName(bytes.subarray(nameAt, dataAt));
    if (name === undefined || end > length) break;
    const attributes = fields.getUint32(at + 4, true);
    const data = bytes.subarray(dataAt, end);
    variables.add(variable({ name, isDump: isDumpAt(bytes, at + 16), attributes, offset: at, size: end - at, data }));
    at = Math.ceil(end / UBOOT_ALIGNMENT) * UBOOT_ALIGNMENT;
  }
  const isSound = crc32(bytes.subarray(UBOOT_HEADER, length)) === fields.getUint32(20, true);
  const damage = isSound ? null : 'its checksum does not fit: bytes of it are wrong, or it was cut';
  return { format: 'the variable file of U-Boot', variables, isVerbatim: true, damage };
}

/** First byte after the NUL of a name. */
function endOfName(bytes: Uint8Array, from: number, limit: number): number {
  const most = Math.min(limit, from + MAX_NAME_SIZE);
  let at = from;
  while (at + 2 <= most && (bytes[at] !== 0 || bytes[at + 1] !== 0)) at += 2;
  return Math.min(at + 2, most);
}

// ── QEMU's uefi-vars device ──

const JSON_FORMAT = "QEMU's JSON variable store";
/** Bytes of a store that are read: QEMU's has some hundred KiB at most. */
const MAX_JSON = 4 << 20;
/** Brackets in it: a parser takes a hundred times the room of each, and QEMU writes one pair for a variable. */
const MAX_BRACKETS = 1 << 16;
const BRACKETS = [0x5b, 0x7b] as const;

function readJson(bytes: Uint8Array): SavedVariables | undefined {
  const excess = jsonExcess(bytes);
  if (excess !== undefined) {
    // Only of what begins as QEMU's store does somebody want to hear why it is not read.
    if (!/"(?:version|variables)"/.test(String.fromCharCode(...bytes.subarray(0, HEAD)))) return undefined;
    return {
      format: JSON_FORMAT,
      variables: new FoundVariables(),
      isVerbatim: false,
      damage: `${excess}: nothing of it is read`,
    };
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
  const list = (parsed as { variables?: unknown } | null)?.variables;
  if (!Array.isArray(list)) return undefined;
  const variables = new FoundVariables();
  for (const entry of list) {
    const found = jsonVariable(entry);
    if (found) variables.add(found);
  }
  const left = list.length - variables.count;
  if (left > 0 && variables.count === 0) return undefined;
  const damage = left === 0 ? null : `${left} of its ${list.length} variables are not as QEMU writes them`;
  return { format: JSON_FORMAT, variables, isVerbatim: false, damage };
}

/** Why a text is no store of QEMU, though it may begin as one. */
function jsonExcess(bytes: Uint8Array): string | undefined {
  if (bytes.length > MAX_JSON) return `it has ${bytes.length} bytes, and no store of QEMU has more than ${MAX_JSON}`;
  let brackets = 0;
  for (const byte of bytes) if (byte === BRACKETS[0] || byte === BRACKETS[1]) brackets++;
  return brackets > MAX_BRACKETS ? `it has ${brackets} lists and objects, and no store of QEMU as many` : undefined;
}

function jsonVariable(entry: unknown): EfiVariable | undefined {
  const { name, guid, attr, data } = (entry ?? {}) as Record<string, unknown>;
  if (typeof name !== 'string' || typeof guid !== 'string' || typeof data !== 'string') return undefined;
  if (data.length % 2 !== 0 || /[^0-9a-f]/i.test(data)) return undefined;
  const bytes = new Uint8Array(data.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(data.slice(2 * i, 2 * i + 2), 16);
  const attributes = typeof attr === 'number' ? attr >>> 0 : 0;
  const isDump = guid.toLowerCase() === CRASH_GUID;
  return variable({ name, isDump, attributes, offset: 0, size: bytes.length, data: bytes });
}

// ── data with the name in the file's name ──

export const ATTRIBUTES_SIZE = 4;

/** Attributes of a variable are eight bits at most; neither a text nor a compressed stream begins as such a number does. */
const MAX_ATTRIBUTES = 0xff;

/**
 * efivarfs puts the attributes in front of the data, Windows does not.
 * @param mayHaveAttributes false where it is known that nothing stands in front
 */
export function readBare(bytes: Uint8Array, name: string, mayHaveAttributes = true): SavedVariables {
  const front = bytes.length >= ATTRIBUTES_SIZE ? view(bytes).getUint32(0, true) : 0;
  const hasAttributes = mayHaveAttributes && front > 0 && front <= MAX_ATTRIBUTES;
  const data = hasAttributes ? bytes.subarray(ATTRIBUTES_SIZE) : bytes;
  const attributes = hasAttributes ? front : DUMP_ATTRIBUTES;
  const format = hasAttributes ? 'a file of efivarfs' : 'the data of one variable';
  return {
    format,
    variables: one({ name, isDump: true, attributes, offset: 0, size: bytes.length, data }),
    isVerbatim: true,
    damage: front === EFIVAR_MAGIC ? 'it begins as an export of efivar, but was cut or is damaged' : null,
  };
}

/** Whether the first bytes may be of this format; and its reader. */
const READERS: readonly { begins: (head: Uint8Array, size: number) => boolean; read: Reader }[] = [
  { begins: (head) => head.length >= 4 && view(head).getUint32(0, true) === EFIVAR_MAGIC, read: readEfivar },
  { begins: (head) => UBOOT_MAGIC.every((byte, i) => head[8 + i] === byte), read: readUboot },
  { begins: (head) => /^\s*\{/.test(String.fromCharCode(...head)), read: readJson },
  { begins: beginsAsDmpstore, read: readDmpstore },
];

/** A name size that is even and small, a data size that fits, and a first letter of ASCII. */
function beginsAsDmpstore(head: Uint8Array, size: number): boolean {
  if (head.length < HEAD) return false;
  const [nameSize, dataSize] = [view(head).getUint32(0, true), view(head).getUint32(4, true)];
  const rest = DMPSTORE_SIZES + GUID_SIZE + 4 + CRC_SIZE;
  if (nameSize < 4 || nameSize > MAX_NAME_SIZE || nameSize % 2 !== 0) return false;
  return nameSize + dataSize + rest <= size && head[8]! > 0x20 && head[8]! < 0x7f && head[9] === 0;
}

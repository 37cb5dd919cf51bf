// EFI variables in all the forms in which they are kept, made from their parts.

import { crc32 as zlibCrc32 } from 'node:zlib';

export const CRASH = 'cfc8fc79-be2e-4ddc-97f0-9f98bfe298a0';
export const GLOBAL = '8be4df61-93ca-11d2-aa0d-00e098032b8c';

export interface PlannedVariable {
  readonly name: string;
  readonly guid?: string;
  readonly data: string | Uint8Array;
  readonly attributes?: number;
  /** State byte of a store; live where it is left out. */
  readonly state?: number;
}

/** A GUID as it is stored. */
export function guid(text: string): Buffer {
  const plain = Buffer.from(text.replaceAll('-', ''), 'hex');
  return Buffer.concat([
    plain.subarray(0, 4).reverse(),
    plain.subarray(4, 6).reverse(),
    plain.subarray(6, 8).reverse(),
    plain.subarray(8),
  ]);
}

const data = ({ data }: PlannedVariable) =>
  typeof data === 'string' ? Buffer.from(data, 'latin1') : Buffer.from(data);
const name = ({ name }: PlannedVariable) => Buffer.from(`${name}\0`, 'utf16le');

function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value >>> 0, 4 * i);
  return bytes;
}

// ── stores ──

export type Layout = 'authenticated' | 'plain' | 'apple';

/** One record, without what aligns the next. */
export function storeRecord(variable: PlannedVariable, layout: Layout = 'authenticated'): Buffer {
  const { state = 0x3f, attributes = 7, guid: vendor = CRASH } = variable;
  const sizes = u32(name(variable).length, data(variable).length);
  const start = Buffer.from([0xaa, 0x55, state, 0]);
  if (layout === 'authenticated') {
    const middle = Buffer.alloc(28);
    return Buffer.concat([start, u32(attributes), middle, sizes, guid(vendor), name(variable), data(variable)]);
  }
  const crc = layout === 'apple' ? u32(zlibCrc32(data(variable))) : Buffer.alloc(0);
  const flags = layout === 'apple' ? attributes + 0x8000_0000 : attributes;
  return Buffer.concat([start, u32(flags), sizes, guid(vendor), crc, name(variable), data(variable)]);
}

export interface PlannedStore {
  readonly layout?: Layout;
  /** Begins with `$VSS` or `$SVS` instead of a GUID. */
  readonly signature?: '$VSS' | '$SVS';
  readonly size?: number;
  /** Records follow one another without being aligned. */
  readonly packed?: boolean;
}

/** A store with its header, blank to its end. */
export function variableStore(variables: readonly PlannedVariable[], plan: PlannedStore = {}): Buffer {
  const { layout = 'authenticated', signature, size = 0x8000, packed = false } = plan;
  const store = Buffer.alloc(size, 0xff);
  let at = signature ? 16 : 28;
  if (signature) {
    store.set(Buffer.concat([Buffer.from(signature), u32(size), Buffer.from([0x5a, 0xfe, 0, 0]), u32(0)]));
  } else {
    const kind =
      layout === 'authenticated' ? 'aaf32c78-947b-439a-a180-2e144ec37792' : 'ddcf3616-3275-4164-98b6-fe85707ffe7d';
    store.set(Buffer.concat([guid(kind), u32(size), Buffer.from([0x5a, 0xfe]), Buffer.alloc(6)]));
  }
  for (const variable of variables) {
    const record = storeRecord(variable, layout);
    store.set(record, at);
    at += record.length;
    if (!packed) at = Math.ceil(at / 4) * 4;
  }
  return store;
}

/** A firmware volume of variables: header, store, and blank bytes. */
export function firmwareVolume(store: Uint8Array, size = store.length + 0x1000): Buffer {
  const volume = Buffer.alloc(size, 0xff);
  const header = Buffer.alloc(72);
  header.set(guid('fff12b8d-7696-4c8b-a985-2747075b4f50'), 16);
  header.writeBigUInt64LE(BigInt(size), 32);
  header.write('_FVH', 40);
  header.writeUInt32LE(0x4feff, 44);
  header.writeUInt16LE(header.length, 48);
  header.writeUInt8(2, 55);
  header.writeUInt32LE(size / 0x1000, 56);
  header.writeUInt32LE(0x1000, 60);
  let sum = 0;
  for (let at = 0; at < header.length; at += 2) sum += header.readUInt16LE(at);
  header.writeUInt16LE(-sum & 0xffff, 50);
  volume.set(header);
  volume.set(store, header.length);
  return volume;
}

// ── files of saved variables ──

export function efivarExport(variable: PlannedVariable): Buffer {
  const { attributes = 7, guid: vendor = CRASH } = variable;
  const sizes = u32(name(variable).length, data(variable).length);
  const head = [u32(0xf3df1597, 1, attributes, 0), guid(vendor), sizes, name(variable), data(variable)];
  return withCrc(Buffer.concat(head));
}

export function dmpstore(variables: readonly PlannedVariable[]): Buffer {
  return Buffer.concat(
    variables.map((variable) => {
      const { attributes = 7, guid: vendor = CRASH } = variable;
      const sizes = u32(name(variable).length, data(variable).length);
      return withCrc(Buffer.concat([sizes, name(variable), guid(vendor), u32(attributes), data(variable)]));
    }),
  );
}

function withCrc(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, u32(zlibCrc32(bytes))]);
}

export function ubootFile(variables: readonly PlannedVariable[]): Buffer {
  const entries = variables.map((variable) => {
    const { attributes = 7, guid: vendor = CRASH } = variable;
    const head = Buffer.concat([u32(data(variable).length, attributes, 0, 0), guid(vendor)]);
    const entry = Buffer.concat([head, name(variable), data(variable)]);
    return Buffer.concat([entry, Buffer.alloc(-entry.length & 7)]);
  });
  const body = Buffer.concat(entries);
  const magic = Buffer.from('UbEfiVa\u0001', 'latin1');
  return Buffer.concat([Buffer.alloc(8), magic, u32(24 + body.length, zlibCrc32(body)), body]);
}

export function qemuJson(variables: readonly PlannedVariable[]): Buffer {
  const list = variables.map((variable) => {
    const { attributes = 7, guid: vendor = CRASH } = variable;
    return { name: variable.name, guid: vendor, attr: attributes, data: data(variable).toString('hex') };
  });
  return Buffer.from(JSON.stringify({ version: 2, variables: list }, null, 4));
}

export function vmwareFile(variables: readonly PlannedVariable[], size = 0x10000): Buffer {
  const entries = variables.map((variable) => {
    const { attributes = 7, guid: vendor = CRASH } = variable;
    const content = data(variable);
    const body = Buffer.concat([name(variable), attributes & 0x20 ? Buffer.alloc(40, 1) : Buffer.alloc(0), content]);
    return Buffer.concat([guid(vendor), u32(attributes, body.length, name(variable).length), body]);
  });
  const body = Buffer.concat(entries);
  const store = Buffer.concat([
    Buffer.from('EFI_NV\0\0\0\0\0\0', 'latin1'),
    Buffer.from('VMWNVRAM'),
    u32(0, 16 + body.length),
    body,
  ]);
  const file = Buffer.alloc(size, 0xff);
  file.set(Buffer.concat([Buffer.from('MRVN'), u32(1), Buffer.alloc(0x200, 0x20), store]));
  return file;
}

/** As efivarfs has it. */
export function efivarfsFile(variable: PlannedVariable): Buffer {
  return Buffer.concat([u32(variable.attributes ?? 7), data(variable)]);
}

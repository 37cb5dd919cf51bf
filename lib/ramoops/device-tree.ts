// A flattened device tree: finds the node of ramoops in it, and prints such a node.

import { PstoreError } from '../errors.js';
import { Fields } from '../pstore/abi.js';
import type { RamGeometry } from './geometry.js';
import { eccOf, type Name, withoutUndefined } from './keys.js';
import type { GivenSizes } from './region-sizes.js';
import type { ToldRegion } from './told.js';

// The Devicetree Specification, chapter 5: header and structure block, all big-endian.
const FDT_MAGIC = 0xd00dfeed;
const FDT_HEADER_SIZE = 40;
const OFF_STRUCT = 8;
const OFF_STRINGS = 12;
const BEGIN_NODE = 1;
const END_NODE = 2;
const PROP = 3;
const NOP = 4;
const MAX_DEPTH = 64;
/** Bytes of a name; the specification allows 31. Without a bound, each name could be as long as the file. */
const MAX_NAME = 255;

/** Documentation/devicetree/bindings/reserved-memory/ramoops.yaml, and Rockchip's boot log. */
const PROPERTIES: Readonly<Record<string, Name>> = {
  'record-size': 'recordSize',
  'console-size': 'consoleSize',
  'ftrace-size': 'ftraceSize',
  'pmsg-size': 'pmsgSize',
  'ecc-size': 'ecc',
  'boot-log-size': 'bootLogSize',
  'boot-log-count': 'bootLogCount',
};

interface Node {
  readonly name: string;
  readonly parent: Node | undefined;
  readonly properties: Map<string, Uint8Array>;
}

/** @throws PstoreError EBADMSG for a file that is no device tree, or has no node of ramoops */
export function deviceTreeRegion(bytes: Uint8Array, path: string): ToldRegion {
  for (const node of nodesOf(bytes, path)) {
    const compatible = node.properties.get('compatible');
    if (compatible && textOf(compatible).split('\0').includes('ramoops')) return regionOf(node);
  }
  throw new PstoreError('EBADMSG', `${path}: no node of this device tree is compatible with ramoops`, { path });
}

function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, 1024));
}

/** The nodes, each when it ends: its properties are complete then. */
function* nodesOf(bytes: Uint8Array, path: string): Generator<Node> {
  const damaged = (at: number) => new PstoreError('EBADMSG', `${path}: the device tree is damaged at ${at}`, { path });
  const word = (at: number) => {
    if (at < 0 || at + 4 > bytes.length) throw damaged(at);
    return new Fields(bytes, 'big').u32(at);
  };
  if (bytes.length < FDT_HEADER_SIZE || word(0) !== FDT_MAGIC) {
    const advice = 'compile a .dts with dtc first (dtc -o FILE.dtb FILE.dts)';
    throw new PstoreError('EBADMSG', `${path} is no flattened device tree (.dtb): ${advice}`, { path });
  }
  const strings = word(OFF_STRINGS);
  const textAt = (at: number) => {
    const rest = bytes.subarray(at, at + MAX_NAME + 1);
    const end = rest.indexOf(0);
    if (end < 0) throw damaged(at);
    return textOf(rest.subarray(0, end));
  };
  let node: Node | undefined;
  let depth = 0;
  for (let at = word(OFF_STRUCT); ; ) {
    const token = word(at);
    at += 4;
    if (token === BEGIN_NODE) {
      if (++depth > MAX_DEPTH) throw damaged(at);
      const name = textAt(at);
      node = { name, parent: node, properties: new Map() };
      at += roundUp4(name.length + 1);
    } else if (token === PROP && node) {
      const length = word(at);
      if (at + 8 + length > bytes.length) throw damaged(at);
      node.properties.set(textAt(strings + word(at + 4)), bytes.subarray(at + 8, at + 8 + length));
      at += 8 + roundUp4(length);
    } else if (token === END_NODE && node) {
      yield node;
      node = node.parent;
      depth--;
    } else if (token !== NOP) return;
  }
}

const roundUp4 = (length: number) => (length + 3) & ~3;

function regionOf(node: Node): ToldRegion {
  const cell = (name: string, of: Node | undefined = node) => {
    const value = of?.properties.get(name);
    return value && value.length >= 4 ? new Fields(value, 'big').u32(0) : undefined;
  };
  const sizes: { [name in Name]?: number } = {};
  for (const [property, name] of Object.entries(PROPERTIES)) {
    const isOptional = name === 'bootLogSize' || name === 'bootLogCount';
    sizes[name] = cell(property) ?? (isOptional ? undefined : 0);
  }
  sizes.ecc = eccOf(sizes.ecc);
  // ramoops_parse_dt: a node outside of reserved-memory that has just a record size has it for console and pmsg, too.
  const isOld = node.parent?.name !== 'reserved-memory' && !sizes.consoleSize && !sizes.ftraceSize && !sizes.pmsgSize;
  if (isOld && !sizes.ecc) sizes.consoleSize = sizes.pmsgSize = sizes.recordSize;
  const reg = node.properties.get('reg');
  const addressCells = cell('#address-cells', node.parent) ?? 2;
  const sizeCells = cell('#size-cells', node.parent) ?? 1;
  const hasPlace = reg !== undefined && reg.length >= 4 * (addressCells + sizeCells);
  const address = hasPlace ? cells(reg, 0, addressCells) : undefined;
  sizes.memSize = hasPlace ? cells(reg, addressCells, sizeCells) : cell('size');
  return { sizes: withoutUndefined(sizes as GivenSizes), address };
}

/** A number of one or two cells of 32 bits; 2^53 bytes are more than any machine has. */
function cells(bytes: Uint8Array, from: number, count: number): number {
  let value = 0;
  for (let i = 0; i < count; i++) value = value * 2 ** 32 + new Fields(bytes, 'big').u32(4 * (from + i));
  return value;
}

/** The node that makes a kernel use this region, as a device tree source has it. */
export function deviceTreeNode(geometry: RamGeometry): string {
  const { base, memSize } = geometry;
  const hex = (value: number) => `0x${value.toString(16)}`;
  const high = (value: number) => `${hex(Math.floor(value / 2 ** 32))} ${hex(value % 2 ** 32)}`;
  const lines = Object.entries(PROPERTIES)
    .filter(([, name]) => (geometry[name] as number) > 0 && !(name === 'bootLogCount' && geometry.bootLogSize === 0))
    .map(([property, name]) => `\t${property} = <${hex(geometry[name] as number)}>;`);
  return [
    '/* The address is the offset in the file: put the physical one in its place. */',
    `ramoops@${base.toString(16)} {`,
    '\tcompatible = "ramoops";',
    `\treg = <${high(base)} ${high(memSize)}>;`,
    ...lines,
    ...(geometry.ftraceSize > 0 && geometry.cpus > 1 ? ['\tflags = <0x1>;'] : []),
    '};',
    '',
  ].join('\n');
}

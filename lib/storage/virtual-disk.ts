// Disks of virtual machines: qemu-img makes raw images of them. What a disk's header names, other files or servers, is
// never opened: whoever made the file could name any.

import { spawnSync } from 'node:child_process';
import { closeSync, constants, ftruncateSync, openSync } from 'node:fs';
import { PstoreError } from '../errors.js';
import { printableLine } from '../printable.js';
import type { Warnings } from '../warnings.js';
import { FileStorage } from './file.js';
import { checkScratchRoom, openScratch } from './scratch.js';
import { readRange, type Storage } from './storage.js';

export type DiskName = 'qcow2' | 'vmdk' | 'vdi' | 'VHD' | 'VHDX';

const DISKS: readonly { name: DiskName; magic: RegExp; at: number }[] = [
  { name: 'qcow2', magic: /^514649fb0000000[23]/, at: 0 },
  { name: 'vmdk', magic: /^4b444d560[1-3]000000/, at: 0 },
  // VirtualBox writes a line of text in front, then this signature at offset 64.
  { name: 'vdi', magic: /^7f10dabe/, at: 64 },
  { name: 'VHD', magic: /^636f6e6563746978/, at: 0 },
  { name: 'VHDX', magic: /^7668647866696c65/, at: 0 },
];

/** What qemu-img calls a format. */
const DRIVERS: Readonly<Record<DiskName, string>> = {
  qcow2: 'qcow2',
  vmdk: 'vmdk',
  vdi: 'vdi',
  VHD: 'vpc',
  VHDX: 'vhdx',
};

/** @param digits the file's bytes from an offset on, in hexadecimal digits */
export function diskNamed(digits: (from: number) => string): DiskName | undefined {
  return DISKS.find(({ magic, at }) => magic.test(digits(at)))?.name;
}

/** What a person types. */
export function convertCommand(path: string): string {
  return `qemu-img convert -O raw ${path} disk.raw`;
}

/**
 * The raw image of a disk, in a temporary file.
 * @param path as it is named in messages
 * @param place where the file is opened
 * @throws PstoreError EBADMSG where it needs another file, qemu-img cannot read it, or is not installed
 */
export function convertDisk(path: string, name: DiskName, warnings: Warnings, place: string): FileStorage {
  const input = openSync(place, constants.O_RDONLY);
  let scratch: number | undefined;
  try {
    const disk = new FileStorage(path, input, false, 'file');
    refuseOthers(path, name, disk);
    scratch = openScratch();
    const said = runConvert(name, input, scratch);
    if (said === undefined) {
      const end = endOfData(name, input);
      if (end > disk.size) {
        const sentence = `${path} is a ${name} disk that was cut: its data go on to ${end}, but it ends at ${disk.size}`;
        warnings.add('medium-damaged', `${sentence}; what is missing reads as zeros; copy it again`);
      }
      const image = new FileStorage(path, scratch, false, 'file');
      const size = name === 'VHD' ? wholePages(image) : image.size;
      if (size === image.size) return image;
      ftruncateSync(scratch, size);
      return new FileStorage(path, scratch, false, 'file');
    }
    // The disk is not to blame where there is no room for what comes out of it.
    if (said !== NOT_INSTALLED) checkScratchRoom(scratch, true);
    const sentence =
      said === NOT_INSTALLED
        ? `a ${name} disk of a virtual machine: install qemu-img, or convert it first (${convertCommand(path)})`
        : `a ${name} disk, and qemu-img cannot read it: ${said.replaceAll(INPUT, path)}; copy it again`;
    throw new PstoreError('EBADMSG', `${path} is ${sentence}`, { path });
  } catch (error) {
    if (scratch !== undefined) closeSync(scratch);
    throw error;
  } finally {
    closeSync(input);
  }
}

const PAGE = 4096;
/** The last bytes of the first sector of a disk that has partitions. */
const BOOT_SIGNATURE = { offset: 510, bytes: [0x55, 0xaa] };

/**
 * A VHD has whole cylinders, so zeros follow what was copied into it. A partition alone has whole pages, so zeros at the
 * end that make no whole page are left out. A disk with partitions keeps its size, because one of them may end there.
 */
function wholePages(image: Storage): number {
  const size = image.size - (image.size % PAGE);
  const boot = readRange(image, BOOT_SIGNATURE.offset, BOOT_SIGNATURE.bytes.length);
  if (BOOT_SIGNATURE.bytes.every((byte, i) => boot[i] === byte)) return image.size;
  return size > 0 && readRange(image, size, PAGE).every((byte) => byte === 0) ? size : image.size;
}

const NOT_INSTALLED = null;
/** Where qemu-img finds the two files. A name of the file itself could be taken for an address. */
const INPUT = '/proc/self/fd/3';
const OUTPUT = '/proc/self/fd/4';

/** How qemu-img is told of a disk: its format is known, and what lies below it is not opened. */
function diskAddress(name: DiskName): string {
  const file = { driver: 'file', filename: INPUT };
  return `json:${JSON.stringify({ driver: DRIVERS[name], file, backing: null })}`;
}

/** So much is read of the list of a disk's pieces: it has a line of 120 bytes for each. */
const MAX_LIST = 8 << 20;
/** A piece that stands in the disk's file: how long it is, and where. */
const PIECE = /"length": ([0-9]+),.*"offset": ([0-9]+)/g;

/**
 * First byte after all data that the disk's file should hold: where a file was cut, qemu-img reads zeros without a word.
 * @returns 0 where qemu-img does not tell
 */
function endOfData(name: DiskName, input: number): number {
  const { stdout } = spawnSync('qemu-img', ['map', '--output=json', '--', diskAddress(name)], {
    stdio: ['ignore', 'pipe', 'ignore', input],
    encoding: 'utf8',
    maxBuffer: MAX_LIST,
  });
  let end = 0;
  for (const [, length, offset] of (stdout ?? '').matchAll(PIECE)) end = Math.max(end, Number(length) + Number(offset));
  return end;
}

/** @returns undefined where it is done; else what qemu-img says of it, or null where it is not installed */
function runConvert(name: DiskName, input: number, output: number): string | null | undefined {
  const disk = diskAddress(name);
  const { error, status, stderr } = spawnSync('qemu-img', ['convert', '-O', 'raw', '--', disk, OUTPUT], {
    stdio: ['ignore', 'ignore', 'pipe', input, output],
    encoding: 'utf8',
  });
  if (error) return NOT_INSTALLED;
  if (status === 0) return undefined;
  const [line = ''] = stderr.trim().split('\n');
  return line.replace('qemu-img: ', '').replaceAll(disk, INPUT);
}

/** @throws PstoreError EBADMSG where a disk's content stands in other files */
function refuseOthers(path: string, name: DiskName, disk: Storage): void {
  const other = name === 'qcow2' ? otherOfQcow2(disk) : name === 'vmdk' ? otherOfVmdk(disk) : undefined;
  if (other === undefined) return;
  const what = `${path} is a ${name} disk that needs ${printableLine(other)}, which is not opened, since any file could be named`;
  throw new PstoreError('EBADMSG', `${what}; if the disk is your own, convert it first (${convertCommand(path)})`, {
    path,
  });
}

/** QEMU's docs/interop/qcow2.txt; numbers are big-endian. */
const QCOW2 = { version: 4, backingOffset: 8, backingSize: 16, incompatible: 72, headerSize: 80 };
const EXTERNAL_DATA = 4n;
const MAX_NAME = 1023;

function otherOfQcow2(disk: Storage): string | undefined {
  const head = Buffer.from(readRange(disk, 0, QCOW2.headerSize));
  if (head.length < QCOW2.headerSize) return undefined;
  const isVersion3 = head.readUInt32BE(QCOW2.version) >= 3;
  if (isVersion3 && (head.readBigUInt64BE(QCOW2.incompatible) & EXTERNAL_DATA) !== 0n) return 'a file with its data';
  const at = Number(head.readBigUInt64BE(QCOW2.backingOffset));
  if (at === 0) return undefined;
  const name = nameAt(disk, at, Math.min(head.readUInt32BE(QCOW2.backingSize), MAX_NAME));
  return name === '' ? 'the disk below it' : `the disk below it, ${name}`;
}

/** VMware's "Virtual Disk Format"; numbers are little-endian, sectors have 512 bytes. */
const VMDK = { capacity: 12, descriptorAt: 28, descriptorSize: 36, headerSize: 44 };
const SECTOR = 512;
const MAX_DESCRIPTOR = 1 << 16;
const PARENT = /^parentFileNameHint\s*=\s*"([^"\n]*)/m;
const NO_PARENT = /^parentCID\s*=\s*ffffffff\s*$/im;

function otherOfVmdk(disk: Storage): string | undefined {
  const head = Buffer.from(readRange(disk, 0, VMDK.headerSize));
  if (head.length < VMDK.headerSize) return undefined;
  if (head.readBigUInt64LE(VMDK.capacity) === 0n) return 'files with its data';
  const at = Number(head.readBigUInt64LE(VMDK.descriptorAt)) * SECTOR;
  const size = Math.min(Number(head.readBigUInt64LE(VMDK.descriptorSize)) * SECTOR, MAX_DESCRIPTOR);
  const text = nameAt(disk, at, size);
  const parent = PARENT.exec(text)?.[1];
  if (parent !== undefined) return `the disk below it, ${parent}`;
  return !text.includes('parentCID') || NO_PARENT.test(text) ? undefined : 'the disk below it';
}

function nameAt(disk: Storage, offset: number, length: number): string {
  return offset < disk.size ? Buffer.from(readRange(disk, offset, length)).toString('latin1') : '';
}

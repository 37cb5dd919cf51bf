// What lies between a file and the image in it: a sparse container, spare bytes of flash, a part of it.

import { PstoreError } from '../errors.js';
import type { SourceKeys } from '../pstore/keys.js';
import { AndroidSparseStorage, isAndroidSparse } from '../storage/android-sparse.js';
import { SliceStorage } from '../storage/slice.js';
import { type PageShape, pageShapeText, parsePageShape, SpareStorage } from '../storage/spare.js';
import { readRange, type Storage } from '../storage/storage.js';
import { SurvivingStorage } from '../storage/surviving.js';
import type { Warnings } from '../warnings.js';
import { hasTable, namedPartition } from './disk.js';
import { findSpare } from './find-spare.js';

/** Bytes that tell what a file is packed in. */
const HEAD = 64;

/** Whether the key `oob` is meant for a partition: the table of a disk can be read as it is. */
export function isOobOfPart(medium: Storage, keys: SourceKeys): boolean {
  return keys.has('oob') && hasTable(medium);
}

/**
 * The bytes of the image itself: what wraps them is taken off. Offsets count from there on in the image's own bytes.
 * @throws PstoreError EINVAL for the key `oob`, EBADMSG for a container that cannot be read
 */
export function unwrapped(file: Storage, keys: SourceKeys, warnings: Warnings): Storage {
  const medium = unsparsed(file, warnings);
  return isOobOfPart(medium, keys) ? medium : withoutSpare(medium, keys, warnings);
}

/** The image that an Android sparse file describes; any other file as it is. @throws PstoreError EBADMSG */
export function unsparsed(file: Storage, warnings: Warnings): Storage {
  if (!isAndroidSparse(readRange(new SurvivingStorage(file), 0, HEAD))) return file;
  const image = new AndroidSparseStorage(file);
  if (image.damage !== undefined) {
    warnings.add(
      'medium-damaged',
      `${file.path} is a damaged Android sparse image: ${image.damage}; what stands before that is shown`,
    );
  }
  return image;
}

/**
 * Without the spare bytes of flash.
 * @param isPart whether it is a partition of a disk
 * @throws PstoreError EINVAL for the key `oob`
 */
export function withoutSpare(file: Storage, keys: SourceKeys, warnings: Warnings, isPart = false): Storage {
  const given = keys.text('oob');
  if (given !== undefined) {
    const shape = parsePageShape(given);
    return shape ? dataOf(file, shape, isPart) : file;
  }
  const looked = SurvivingStorage.opening(file);
  const shape = findSpare(looked, isPart);
  looked.settle();
  if (!shape || contradicts(keys, shape)) return file;
  const text = pageShapeText(shape);
  const found = `${shape.spare} spare bytes (OOB) of NAND flash stand after each ${shape.data} bytes`;
  const ecc = file.writable ? '; when records are erased or written, the ECC in them is left as it is' : '';
  warnings.add('spare-bytes', `${file.path}: ${found}, and are left out, as with oob=${text}${ecc}`);
  return dataOf(file, shape, isPart);
}

/** The key that a SOURCE needs to open an image again whose spare bytes were found; with part= it would mean the partition. */
export function oobKeys(image: Storage, keys: SourceKeys): readonly (readonly [string, string])[] {
  const isFound = image instanceof SpareStorage && !keys.has('oob') && !keys.has('part');
  return isFound ? [['oob', pageShapeText(image.shape)]] : [];
}

/** What to know of sizes in a message; undefined for what has no spare bytes. */
export function spareNote(image: Storage): string | undefined {
  if (!(image instanceof SpareStorage)) return undefined;
  const { data, spare } = image.shape;
  return `bytes are counted after ${spare} spare bytes (OOB) of NAND flash were taken out after each ${data}, as with oob=${data}+${spare}`;
}

/** An image is a multiple of this; a partition may be larger than what was written into it. */
const IMAGE_MULTIPLE = 4096;

/** Disks of virtual machines, and others, are filled up with zeros to a multiple of this. */
const SECTOR = 512;

/** What a file has after its last whole page, as it is in a sector that was filled up; else 0. */
function fillingOf(file: Storage, { data, spare }: PageShape): number {
  const rest = file.size % (data + spare);
  if (rest === 0 || rest >= SECTOR || file.size % SECTOR !== 0) return 0;
  const bytes = readRange(new SurvivingStorage(file), file.size - rest, rest);
  return bytes.every((byte) => byte === 0) ? rest : 0;
}

function dataOf(file: Storage, shape: PageShape, isPart: boolean): Storage {
  const filling = fillingOf(file, shape);
  const data = new SpareStorage(filling === 0 ? file : new SliceStorage(file, 0, file.size - filling), shape);
  const rest = isPart ? data.size % IMAGE_MULTIPLE : 0;
  return rest === 0 ? data : new SliceStorage(data, 0, data.size - rest);
}

/** Whether records have a given size that counts the bytes which seem to be spare ones: then they are none. */
function contradicts(keys: SourceKeys, { data, spare }: PageShape): boolean {
  const sizes = [keys.size('kmsg_size'), keys.size('record_size')];
  return sizes.some((size) => size !== undefined && size > 0 && size % (data + spare) === 0 && size % data !== 0);
}

/** The keys `offset` and `size`. @throws PstoreError EINVAL when the part does not lie inside */
function partOf(whole: Storage, keys: SourceKeys): Storage {
  const offset = keys.size('offset');
  const size = keys.size('size');
  if (offset !== undefined && offset >= whole.size) {
    throw new PstoreError('EINVAL', `${whole.path} has ${whole.size} bytes: offset=${offset} lies after its end`, {
      path: whole.path,
      offset,
    });
  }
  return offset === undefined && size === undefined ? whole : new SliceStorage(whole, offset ?? 0, size);
}

/** A part of the image as the keys part=, offset= and size= name it; offset counts from the partition's beginning. */
export function placed(image: Storage, keys: SourceKeys, warnings: Warnings): Storage {
  const name = keys.text('part');
  if (name === undefined) return partOf(image, keys);
  const partition = namedPartition(image, name, warnings);
  const part = partOf(partition, keys);
  if (part === partition || !(part instanceof SliceStorage)) return part;
  return new SliceStorage(image, partition.base + part.base, part.size);
}

// The keys of a source (`kmsg_size=64K`), parsed and checked.

import { PstoreError } from '../errors.js';
import { type Abi, parseAbi } from './abi.js';

/** Other words for the same key. */
const SAME: Readonly<Record<string, string>> = { dmesg_size: 'kmsg_size' };

/** Keys that every source knows. */
export const COMMON_KEYS = [
  'ro',
  'label',
  'salvage',
  'update_ms',
  'offset',
  'size',
  'oob',
  'part',
  'strict',
  'force',
  'overlay',
] as const;

/** The key's own name where a person wrote another word for it. */
export function canonicalKey(key: string): string {
  return SAME[key] ?? key;
}

/** A key's own name, and the other words for it. */
export function wordsOfKey(key: string): string[] {
  return [key, ...Object.keys(SAME).filter((word) => SAME[word] === key)];
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1 << 10, M: 1 << 20, G: 1 << 30, T: 2 ** 40 };

/**
 * Bytes: decimal or 0x, with K, M or G (also KiB, MiB, GiB) after it.
 * @throws PstoreError EINVAL
 */
export function parseSize(key: string, text: string): number {
  const match = /^(0x[0-9a-f]+|[0-9]+) ?([KMGT]?)(?:iB|B)?$/i.exec(text.trim());
  const value = match ? Number(match[1]) * UNITS[match[2]!.toUpperCase()]! : Number.NaN;
  if (value > Number.MAX_SAFE_INTEGER) throw new PstoreError('EINVAL', `${key}=${text} is too large`);
  if (!Number.isSafeInteger(value)) {
    throw new PstoreError('EINVAL', `${key}=${text}: give a number of bytes such as 65536, 64K, 1M or 0x10000`);
  }
  return value;
}

/** A whole number, decimal or 0x. @throws PstoreError EINVAL */
export function parseNumber(key: string, text: string, least: number, most: number): number {
  const value = /^(0x[0-9a-f]+|[0-9]+)$/i.test(text.trim()) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new PstoreError('EINVAL', `${key}=${text}: give a whole number from ${least} to ${most}`);
  }
  return value;
}

/** The keys that stand after one SOURCE, `-o` keys included. Getters give undefined for a key that was not given. */
export class SourceKeys {
  readonly #values: ReadonlyMap<string, string>;

  constructor(values: Iterable<readonly [string, string]> = []) {
    const map = new Map<string, string>();
    for (const [key, value] of values) map.set(canonicalKey(key), value);
    this.#values = map;
  }

  static of(values: Readonly<Record<string, string | number | boolean>>): SourceKeys {
    return new SourceKeys(Object.entries(values).map(([key, value]) => [key, String(value)] as const));
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  names(): string[] {
    return [...this.#values.keys()];
  }

  text(key: string): string | undefined {
    return this.#values.get(key);
  }

  /** A key that is on when it stands there without a value, or with `1`, `yes`, `true`, `on`. */
  flag(key: string): boolean {
    const value = this.#values.get(key);
    if (value === undefined || /^(0|no|false|off)$/i.test(value)) return false;
    if (/^(|1|yes|true|on)$/i.test(value)) return true;
    throw new PstoreError('EINVAL', `${key}=${value}: give yes or no`);
  }

  /** Bytes. */
  size(key: string): number | undefined {
    const value = this.#values.get(key);
    return value === undefined ? undefined : parseSize(key, value);
  }

  number(key: string, least: number, most: number): number | undefined {
    const value = this.#values.get(key);
    return value === undefined ? undefined : parseNumber(key, value, least, most);
  }

  choice<T extends string>(key: string, choices: readonly T[]): T | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    if (!(choices as readonly string[]).includes(value)) {
      throw new PstoreError('EINVAL', `${key}=${value}: known are ${choices.join(', ')}`);
    }
    return value as T;
  }

  abi(): Abi | undefined {
    const value = this.#values.get('abi');
    return value === undefined ? undefined : parseAbi(value);
  }
}

/**
 * SOURCE that opens an image the same way again.
 * @param given by which the image was opened: the part of a larger file is told by them
 * @param found the other keys, as BackendInfo.sourceKeys has them
 */
export function sourceText(backend: string, path: string, given: SourceKeys, found: string): string {
  const place = ['oob', 'part', 'offset', 'size', 'overlay']
    .filter((key) => given.has(key))
    .map((key) => (given.text(key) === '' ? key : `${key}=${given.text(key)!.replaceAll(',', ',,')}`));
  return [`${backend}:${path.replaceAll(',', ',,')}`, ...place, found].filter((part) => part !== '').join(',');
}

// The grammar of a SOURCE: `[BACKEND:]PATH[,key=value]...`. Knows no file.

import { PstoreError } from '../errors.js';
import { COMMON_KEYS, canonicalKey, wordsOfKey } from '../pstore/keys.js';
import type { AnyKind } from '../pstore/kind.js';
import { KINDS, kindNamed } from './kinds.js';
import { didYouMean } from './nearest.js';

/** `[BACKEND:]PATH[,key=value]...`, taken apart. */
export interface SourceSpec {
  /** As it was written, for messages. */
  readonly text: string;
  readonly kind: AnyKind | undefined;
  readonly path: string;
  readonly keys: readonly (readonly [string, string])[];
}

/** Keys that any kind of backend knows. */
export const SOURCE_KEYS: readonly string[] = [
  ...new Set([...COMMON_KEYS, ...KINDS.flatMap((kind) => kind.keys)].flatMap(wordsOfKey)),
];

export function isSourceKey(key: string): boolean {
  return SOURCE_KEYS.includes(key);
}

/** Cuts at single commas; `,,` is a comma in the text. */
export function splitCommas(text: string): string[] {
  const parts: string[] = [];
  let part = '';
  for (let i = 0; i < text.length; i++) {
    const isComma = text.charAt(i) === ',';
    if (isComma && text.charAt(i + 1) !== ',') {
      parts.push(part);
      part = '';
      continue;
    }
    part += text.charAt(i);
    if (isComma) i++;
  }
  return [...parts, part];
}

/**
 * @param exists whether there is a file of this path: a path may have a colon, too
 * @throws PstoreError EINVAL for an unknown or repeated key, or an unknown backend
 */
export function parseSource(text: string, exists: (path: string) => boolean): SourceSpec {
  const [place = '', ...rest] = splitCommas(text);
  const keys = rest.map((part) => splitKey(part, text));
  const seen = new Set<string>();
  for (const [key] of keys) {
    const name = canonicalKey(key);
    if (seen.has(name)) throw new PstoreError('EINVAL', `${text}: the key ${key} is given twice`);
    if (!isSourceKey(key)) throw unknownKey(text, key);
    seen.add(name);
  }
  const { kind, path } = splitBackend(place, text, exists);
  if (path === '') throw new PstoreError('EINVAL', `"${text}": the path of an image is missing; give [BACKEND:]PATH`);
  if (kind) {
    const foreign = keys.find(([key]) => !knows(kind, key));
    if (foreign) {
      const what = `the backend ${kind.name} has no key ${foreign[0]}`;
      throw new PstoreError('EINVAL', `${text}: ${what}; ${keysOf(kind)}`);
    }
  }
  return { text, kind, path, keys };
}

export function unknownKey(text: string, key: string): PstoreError {
  const otherwise = 'man pstorefuse lists the keys (a comma in a path is written ,,)';
  return new PstoreError('EINVAL', `${text}: unknown key "${key}"; ${didYouMean(key, SOURCE_KEYS, otherwise)}`);
}

/** @param where what it was found in, with a colon after it, or nothing */
export function unknownBackend(where: string, name: string): PstoreError {
  const names = KINDS.map((kind) => kind.name);
  const advice = didYouMean(name, names, `known are ${names.join(', ')}`);
  return new PstoreError('EINVAL', `${where}unknown backend "${name}"; ${advice}`);
}

function splitKey(part: string, text: string): readonly [string, string] {
  const at = part.indexOf('=');
  const key = at < 0 ? part : part.slice(0, at);
  if (key === '')
    throw new PstoreError('EINVAL', `${text}: a key is missing after a comma (a comma in a path is written ,,)`);
  return [key, at < 0 ? '' : part.slice(at + 1)];
}

function splitBackend(
  place: string,
  text: string,
  exists: (path: string) => boolean,
): { kind: AnyKind | undefined; path: string } {
  const colon = place.indexOf(':');
  if (colon < 0 || place.startsWith('./') || place.startsWith('/')) return { kind: undefined, path: place };
  const kind = kindNamed(place.slice(0, colon));
  if (kind) return { kind, path: place.slice(colon + 1) };
  if (exists(place)) return { kind: undefined, path: place };
  if (place.slice(0, colon).includes('/')) return { kind: undefined, path: place };
  throw unknownBackend(`${text}: `, place.slice(0, colon));
}

export function knows(kind: AnyKind, key: string): boolean {
  const name = canonicalKey(key);
  return kind.keys.includes(name) || (COMMON_KEYS as readonly string[]).includes(name);
}

export function keysOf({ keys }: AnyKind): string {
  return keys.length === 0 ? 'it has none of its own' : `its own are ${keys.join(', ')}`;
}

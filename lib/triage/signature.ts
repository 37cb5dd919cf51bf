// A crash's signature: equal for equal crashes, whatever the build, the boot, the addresses.

import { xxhash64Hex } from '../compress/xxhash64.js';
import { isDull, isEntry } from './dull.js';
import type { Frame } from './frame.js';
import { CORRUPTED } from './rule.js';
import type { Titled } from './title.js';

/** A new rule gets a new number: signatures in old archives stay what they are. */
const VERSION = 1;

/** More frames would tell apart what is the same crash reached by other ways. */
const MAX_FRAMES = 6;

/** 48 bits: among a million different crashes, two share one with a chance of one in five hundred. */
const DIGITS = 12;

/**
 * `1:<kind>:<hash>`, over the kind and the frames from the function to blame outwards; without frames over the title.
 * @param places of frames that a kernel without symbols names by addresses: these tell crashes of one build apart
 */
export function signatureOf(titled: Titled, frames: readonly Frame[], places: readonly string[] = []): string {
  const names = tellingNames(titled, frames);
  const words = names.length > 0 ? [form(titled), ...names] : [titled.title, ...places.slice(0, MAX_FRAMES)];
  const hash = xxhash64Hex(new TextEncoder().encode([titled.kind, ...words].join('\n')));
  return `${VERSION}:${titled.kind}:${hash.slice(0, DIGITS)}`;
}

/** The title without the function: what was done to the same function differs. */
function form({ title, function: name }: Titled): string {
  return name === null ? title : title.replace(` in ${name}`, '');
}

function tellingNames({ function: blamed }: Titled, frames: readonly Frame[]): string[] {
  if (blamed === CORRUPTED) return [];
  const at = frames.findIndex(({ name }) => name === blamed);
  const outer = frames.slice(at + 1).filter(({ name }) => !(isDull(name) || isEntry(name)));
  const inner = at >= 0 ? [frames[at]!] : [];
  const names = [...inner, ...outer].map(({ name, module }) => (module === undefined ? name : `${name} [${module}]`));
  // A lock's holder is to blame without standing in the trace.
  if (at < 0 && blamed !== null) names.unshift(blamed);
  return names.slice(0, MAX_FRAMES);
}

// What a backend tells of itself, as labels and texts for people.

import { abiName } from './abi.js';
import type { BackendInfo } from './backend.js';
import { inUnits } from './geometry.js';

export type Fact = readonly [label: string, text: string];

/** Format, machine, geometry, counters, and what else the family tells. @param name of the backend */
export function* infoFacts(name: string, found: BackendInfo): Generator<Fact> {
  const { machine, ...details } = found.details;
  yield ['backend', `${name}, format ${found.format}`];
  if (found.abi) {
    const { endian, wordBits, align } = found.abi;
    const prefix = machine === undefined ? '' : `${machine}, `;
    const abi = `${endian}-endian, ${wordBits} bits, 64-bit integers aligned to ${align} (abi=${abiName(found.abi)})`;
    yield ['machine', `${prefix}${abi}`];
  }
  for (const [key, value] of Object.entries(found.geometry)) {
    yield [key, geometryText(key, value, found.confidence[key])];
  }
  if (found.counters) {
    const { oops, panic, oom } = found.counters;
    yield ['counters', `oops ${oops}, panic ${panic}${oom === undefined ? '' : `, OOM ${oom}`}`];
  }
  if (found.nextZone !== null) yield ['next zone', String(found.nextZone)];
  for (const [label, text] of Object.entries(details)) yield [label, text];
}

/** Keys whose values are bytes; others count something. */
const IN_BYTES = /_(size|offset)$/;

function geometryText(key: string, value: number | string, confidence: number | undefined): string {
  const units = typeof value === 'number' && value >= 1024 && IN_BYTES.test(key) ? inUnits(value) : String(value);
  const exact = units === String(value) ? units : `${value} (${units})`;
  if (confidence === undefined || confidence >= 1) return exact;
  return `${exact}, ${confidence > 0.5 ? 'very likely' : 'a guess'}`;
}

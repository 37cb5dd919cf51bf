// What a dump's text itself says of its reason: `<Reason>#<n> Part1` stands at its beginning, whatever number the header
// has. Where the two differ, the header is damaged, or of another dialect.

import { decodeStart } from '../compress/decompress.js';
import type { Abi } from '../pstore/abi.js';
import { reasonInText } from '../pstore/record.js';
import { readRange, type Storage } from '../storage/storage.js';
import type { Warnings } from '../warnings.js';
import { reasonText } from './dialects.js';
import { ZoneState } from './dmesg-table.js';
import type { ZoneEngine } from './engine.js';
import { BUFFER_HEADER_SIZE, type DmesgHeader, dmesgHeaderSize, type Generation } from './format.js';
import { kmsgZone } from './geometry.js';

/** Bytes of text that hold the reason. */
const BEGINNING = 64;
/** Stored bytes of which any algorithm makes as many of text. */
const STORED = 1024;

/** Where a dump stands, and what its headers say. */
export interface DumpAt {
  /** First byte of the zone. */
  readonly offset: number;
  readonly datalen: number;
  readonly header: Pick<DmesgHeader, 'compressed'>;
}

/** `Oops`, `Panic` and so on, or null where the text does not begin with a known reason. */
export function reasonWord(
  storage: Storage,
  { offset, datalen, header }: DumpAt,
  generation: Generation,
  abi: Abi,
): string | null {
  const headerSize = dmesgHeaderSize(abi);
  const length = Math.min(STORED, datalen - headerSize);
  if (length <= 0) return null;
  const stored = readRange(storage, offset + BUFFER_HEADER_SIZE[generation] + headerSize, length);
  return reasonInText(header.compressed === 0 ? stored : (decodeStart(stored, BEGINNING)?.text ?? stored));
}

/** Dumps whose texts are looked at: to decompress the beginnings of all would make a listing of many zones slow. */
const MAX_COMPARED = 64;

/** Says where dumps' texts contradict the reasons of their headers: these are damaged, or the dialect is another. */
export function warnOfReasons(engine: ZoneEngine, storage: Storage, warnings: Warnings): void {
  const { dialect } = engine.geometry;
  const [first, ...more] = [...contradictedReasons(engine, storage)];
  if (!first) return;
  const { index, offset, reason, word } = first;
  const what = `the header of dmesg zone ${index} at offset ${offset} has the reason ${reason}`;
  const name = reasonText(dialect, reason);
  const others = more.length === 0 ? '' : ` (and so do ${more.length} more)`;
  const why = 'the number is damaged, or another dialect= is right';
  const sentence = `${what} (${name}), and its text begins as one of reason ${word}${others}: ${why}`;
  warnings.add('record-reason', `${storage.path}: ${sentence}`, offset);
}

interface Contradicted {
  readonly index: number;
  readonly offset: number;
  readonly reason: number;
  readonly word: string;
}

function* contradictedReasons({ geometry, dmesg, abi }: ZoneEngine, storage: Storage): Generator<Contradicted> {
  const { dialect } = geometry;
  let compared = 0;
  for (let index = 0; index < geometry.kmsgCount && compared < MAX_COMPARED; index++) {
    if (dmesg.state(index) !== ZoneState.Live) continue;
    compared++;
    const row = dmesg.row(index);
    const { offset } = kmsgZone(geometry, index);
    const word = reasonWord(storage, { offset, datalen: row.datalen, header: row }, dialect.generation, abi);
    if (word !== null && word !== reasonText(dialect, row.reason)) yield { index, offset, reason: row.reason, word };
  }
}

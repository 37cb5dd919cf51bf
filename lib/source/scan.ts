// Finds images of every kind anywhere in a file, which is read once from its beginning to its end. Knows no file.

import type { Anywhere } from '../pstore/anywhere.js';
import type { BackendKind } from '../pstore/kind.js';
import { SliceStorage } from '../storage/slice.js';
import { type Storage, searchedPieces } from '../storage/storage.js';
import { SurvivingStorage } from '../storage/surviving.js';
import { KINDS } from './kinds.js';
import { WordSweep } from './word-sweep.js';

/** What a kind knows of being found. */
interface Searcher extends Anywhere {
  readonly kind: BackendKind;
}

/** A part of a file that looks like an image. */
export interface FoundRegion {
  readonly kind: BackendKind;
  /** First byte in the file. */
  readonly offset: number;
  /** Bytes, or null where the region does not tell its end: it may go on to the end of the file. */
  readonly size: number | null;
  /** 0 … 1 */
  readonly sure: number;
}

export interface ScanOptions {
  /** Where headers may begin: at multiples of this many bytes. */
  readonly align: 512 | 4;
  /** Is told now and then how far the reading is. */
  onProgress?(done: number): void;
}

/** Bytes that are read at a time: they are still in the processor's cache when they are looked at. */
const BLOCK = 512 << 10;
/** A hostile file may consist of nothing but headers: no more of a kind are kept. */
const MAX_HEADERS = 1 << 17;
/** After the last header of a region there is at least so much that is looked at, as its last zone. */
const MIN_TAIL = 1 << 20;
/** Headers of one group that are tried as the first of a region, when those before them were none. */
const MAX_TRIES = 32;
/**
 * A region of headers whose sizes must be found takes milliseconds, and a hostile file may have one in each block: as many
 * are looked for, and one more for each 64 KiB that are no hole.
 */
const MIN_SEARCHES = 64;
const BYTES_A_SEARCH = 64 << 10;
const MAX_REGIONS = 4096;

/** Headers of one sort and kind, in the order in which they stand. */
interface Group {
  readonly searcher: Searcher;
  readonly sort: string;
  readonly offsets: number[];
  readonly lengths: number[];
}

export class Scan {
  readonly #storage: SurvivingStorage;
  readonly #options: ScanOptions;
  readonly #sweep: WordSweep<Searcher>;
  readonly #groups = new Map<string, Group>();
  /** Regions that may still be looked for. */
  #searches = MIN_SEARCHES;
  /** Whether there were more headers than are kept, or than regions are looked for at. */
  isIncomplete = false;

  constructor(storage: Storage, options: ScanOptions, kinds: readonly (typeof KINDS)[number][] = KINDS) {
    this.#storage = SurvivingStorage.over(storage);
    this.#options = options;
    const searchers = kinds.flatMap((kind): Searcher[] =>
      kind.source === 'file' && kind.anywhere ? [{ ...kind.anywhere, kind }] : [],
    );
    this.#sweep = new WordSweep(
      searchers.flatMap((owner) => owner.words.map(({ bytes, at }) => ({ bytes, at, owner }))),
    );
  }

  /** @throws PstoreError EIO where the medium is not there any more */
  regions(): FoundRegion[] {
    this.#readAll();
    const groups = [...this.#groups.values()];
    // Those of few headers come first: a flood of one sort must not use up the searches of the others.
    const inOrder = groups.toSorted((a, b) => a.offsets.length - b.offsets.length);
    const found = new Map(inOrder.map((group) => [group, [...this.#regionsOf(group)]]));
    return withoutDoubles(groups.flatMap((group) => found.get(group)!)).slice(0, MAX_REGIONS);
  }

  #readAll(): void {
    for (const { bytes, offset } of searchedPieces(this.#storage, { length: BLOCK })) {
      this.#look(bytes, offset);
      this.#searches += bytes.length / BYTES_A_SEARCH;
      this.#options.onProgress?.(offset + bytes.length);
    }
  }

  #look(bytes: Uint8Array, base: number): void {
    const swept = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    this.#sweep.sweep(swept, this.#options.align, (begin, searcher) => {
      this.#lookAt(searcher, base + begin, begin < 0 ? undefined : bytes.subarray(begin));
    });
  }

  /** @param there the bytes from there on, as many as have been read */
  #lookAt(searcher: Searcher, offset: number, there: Uint8Array | undefined): void {
    if (offset < 0) return;
    const { headerSize, kind } = searcher;
    let bytes = there?.subarray(0, headerSize);
    if (!bytes || bytes.length < headerSize) {
      bytes = new Uint8Array(headerSize);
      bytes = bytes.subarray(0, this.#storage.read(bytes, offset));
    }
    const header = searcher.headerAt(bytes);
    if (!header) return;
    const key = `${kind.name} ${header.sort}`;
    const group = this.#groups.get(key) ?? { searcher, sort: header.sort, offsets: [], lengths: [] };
    this.#groups.set(key, group);
    const { offsets, lengths } = group;
    // One header is found by each of its words.
    const place = offsets.findLastIndex((other) => other <= offset);
    if (offsets[place] === offset) return;
    if (offsets.length === MAX_HEADERS) {
      this.isIncomplete = true;
      return;
    }
    offsets.splice(place + 1, 0, offset);
    lengths.splice(place + 1, 0, header.length);
  }

  *#regionsOf({ searcher, sort, offsets, lengths }: Group): Generator<FoundRegion> {
    const { kind, reach, most } = searcher;
    let tries = 0;
    for (let i = 0; i < offsets.length; ) {
      if (reach > 0 && this.#searches-- < 1) {
        this.isIncomplete = true;
        return;
      }
      const offset = offsets[i]!;
      let [last, gap] = [i, 0];
      while (reach > 0 && last + 1 < offsets.length && offsets[last + 1]! - offsets[last]! <= reach) {
        gap = Math.max(gap, offsets[last + 1]! - offsets[last]!);
        last++;
      }
      const tail = reach > 0 ? Math.max(MIN_TAIL, 2 * gap, lengths[last]!) : Number.POSITIVE_INFINITY;
      const end = Math.min(this.#storage.size, offset + most, offsets[last]! + tail);
      const region = searcher.regionIn(this.#window(offset, end), sort);
      if (region) yield { kind, offset, size: region.length, sure: region.sure };
      const next = offset + Math.max(1, region?.length ?? 1);
      tries = region ? 0 : tries + 1;
      i = tries > MAX_TRIES ? last + 1 : offsets.findIndex((other, at) => at > i && other >= next);
      if (tries > MAX_TRIES) tries = 0;
      if (i < 0) return;
    }
  }

  #window(offset: number, end: number): SurvivingStorage {
    return SurvivingStorage.opening(new SliceStorage(this.#storage.medium, offset, end - offset));
  }
}

/** What is no surer than this is a guess. */
const GUESS = 0.5;

/**
 * Of regions that begin at the same place the surest; none that lies inside another one of the same kind, or inside a surer
 * one of a kind that has its words, too; and no guess where a surer one is: words of one format may look like those of
 * another a few bytes further on.
 */
function withoutDoubles(found: readonly FoundRegion[]): FoundRegion[] {
  const sure = found.filter((region) => region.sure > GUESS);
  const told = found.filter((region) => region.sure > GUESS || !sure.some((other) => overlap(region, other)));
  const sorted = told.toSorted((a, b) => a.offset - b.offset || b.sure - a.sure);
  const kept: FoundRegion[] = [];
  const ends = new Map<string, number>();
  for (const region of sorted) {
    const { kind, offset, size } = region;
    if (offset === kept.at(-1)?.offset || offset < (ends.get(kind.name) ?? 0)) continue;
    const hosts = kept.filter((other) => kind.anywhere?.alsoIn?.includes(other.kind.name));
    if (hosts.some((host) => host.sure > region.sure && isInside(region, host))) continue;
    kept.push(region);
    ends.set(kind.name, offset + (size ?? 1));
  }
  return kept;
}

function isInside(inner: FoundRegion, outer: FoundRegion): boolean {
  const end = (region: FoundRegion) => region.offset + (region.size ?? 1);
  return outer.offset <= inner.offset && end(inner) <= end(outer);
}

function overlap(a: FoundRegion, b: FoundRegion): boolean {
  return a.offset < b.offset + (b.size ?? 1) && b.offset < a.offset + (a.size ?? 1);
}

// Measures the command scan: how many images it finds that are put at random places into other bytes, and what it takes
// for an image in files that hold none.
//
//   node dist/scripts/measure-scan.js images [--count 100] [--seed 1] [--all]
//   node dist/scripts/measure-scan.js files PATH... [--all] [--seconds 100]

import { randomFillSync } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openStorage } from '../lib/source/open-storage.js';
import { type FoundRegion, Scan } from '../lib/source/scan.js';
import { parseSource, TextCache } from '../lib/source/sources.js';
import { openImage } from '../lib/storage/file.js';
import { MemoryStorage } from '../lib/storage/memory.js';
import { dice } from '../test/builders/ramoops-dialects.js';
import { randomImage } from './measure/random-images.js';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '100' },
    all: { type: 'boolean', default: false },
  },
});
const [what, ...paths] = positionals;
const align = options.all ? 4 : 512;
/** A region that is no surer than this is a guess. */
const GUESS = 0.5;

/** A scan that takes longer is told. */
const SLOW_MS = 3000;
const HAYSTACK = 64 << 20;

/** Bytes that hold no image: random ones, text, zeros. */
function haystacks(): Uint8Array[] {
  const random = new Uint8Array(HAYSTACK);
  for (let at = 0; at < HAYSTACK; at += 1 << 20) randomFillSync(random, at, 1 << 20);
  const text = new Uint8Array(HAYSTACK);
  const roll = dice(7);
  const encoder = new TextEncoder();
  for (let at = 0; at < HAYSTACK; ) {
    const line = `[${String(at / 997).padStart(12)}] unit ${roll(1000)}: ==== state ${roll(9)}, ELF CPER KDUMP ${roll(1e9)}\n`;
    at += encoder.encodeInto(line, text.subarray(at)).written || HAYSTACK;
  }
  return [random, text, new Uint8Array(HAYSTACK)];
}

/** What the records of an image hold, whatever their names are. */
function contents(bytes: Uint8Array, source: string): string[] {
  const spec = parseSource(source);
  const storage = new MemoryStorage(bytes, { path: spec.path, writable: false });
  const { backend } = openStorage(
    spec,
    storage,
    { sharedKeys: [], mode: 'read', cache: new TextCache(), strict: false },
    () => new Uint8Array(0),
  );
  const all: string[] = [];
  for (let slot = 0; slot < backend.slots; slot++) {
    if (!backend.record(slot)) continue;
    const content = backend.open(slot);
    const data = new Uint8Array(content.size);
    content.read(data, 0);
    all.push(Buffer.from(data).toString('latin1'));
  }
  backend.close();
  return all.sort();
}

function sourceOf({ kind, offset, size }: FoundRegion): string {
  return `${kind.name}:image,offset=${offset}${size === null ? '' : `,size=${size}`}`;
}

function tryContents(bytes: Uint8Array, source: string): string[] | undefined {
  try {
    return contents(bytes, source);
  } catch {
    return undefined;
  }
}

function measureImages(count: number, seed: number): void {
  const hay = haystacks();
  const names = ['random', 'text', 'zeros'];
  const tally = { found: 0, same: 0, tried: 0, false: 0 };
  for (let i = 0; i < count; i++) {
    const roll = dice(seed + i);
    const image = randomImage(roll);
    const own = tryContents(image.bytes, `${image.kind}:image`);
    if (own === undefined || image.bytes.length > HAYSTACK / 2) continue;
    const which = i % hay.length;
    const stack = hay[which]!;
    const at = roll(Math.floor((HAYSTACK - image.bytes.length) / align)) * align;
    const kept = stack.slice(at, at + image.bytes.length);
    stack.set(image.bytes, at);
    const begun = performance.now();
    const regions = new Scan(new MemoryStorage(stack, { path: 'image', writable: false }), { align }).regions();
    const took = performance.now() - begun;
    if (took > SLOW_MS) console.log(`slow: seed ${seed + i} ${image.name} took ${Math.round(took)} ms`);
    const inside = regions.filter(({ offset }) => offset >= at && offset < at + image.bytes.length);
    const right = inside.find(({ kind, sure }) => kind.name === image.kind && sure > GUESS);
    const seen = right && tryContents(stack, sourceOf(right));
    const isSame = seen !== undefined && seen.join('\0') === own.join('\0');
    tally.tried++;
    if (right) tally.found++;
    if (isSame) tally.same++;
    tally.false += regions.filter(({ sure }) => sure > GUESS).length - inside.filter(({ sure }) => sure > GUESS).length;
    if (!isSame) {
      const told = regions.map((region) => `${sourceOf(region)} (${region.sure})`).join(' ');
      console.log(
        `${right ? 'other records' : 'not found'}: seed ${seed + i} ${image.name} of ${image.bytes.length} bytes at ${at} in ${names[which]}: ${told}; ${own.length} records, ${seen?.length ?? 'none'} seen`,
      );
    }
    stack.set(kept, at);
  }
  console.log(
    `${tally.found} of ${tally.tried} found, ${tally.same} with the same records, ${tally.false} elsewhere, align ${align}`,
  );
}

function* filesIn(path: string): Generator<string> {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isFile() && stats.size > 0) yield path;
  if (!stats?.isDirectory()) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory() || entry.isFile()) yield* filesIn(join(path, entry.name));
  }
}

function measureFiles(): void {
  const end = performance.now() + 1000 * Number(options.seconds);
  let [bytes, files, wrong] = [0, 0, 0];
  for (const path of paths.flatMap((one) => [...filesIn(one)])) {
    if (performance.now() > end) break;
    const storage = openImage(path, { mode: 'read' });
    for (const region of new Scan(storage, { align }).regions()) {
      if (region.sure > GUESS) wrong++;
      console.log(`${path}: ${sourceOf(region)} (${region.sure})`);
    }
    storage.close();
    bytes += storage.size;
    files++;
  }
  console.log(`${files} files, ${(bytes / 2 ** 30).toFixed(2)} GiB, ${wrong} regions above ${GUESS}, align ${align}`);
}

if (what === 'images') measureImages(Number(options.count), Number(options.seed));
else if (what === 'files') measureFiles();
else throw new Error('give images, or files with paths');

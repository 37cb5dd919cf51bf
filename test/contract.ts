// What every kind of backend promises, whatever its format: the same rules over a specimen of each.

import fc from 'fast-check';
import t from 'tap';
import { explain, open, type Pstore } from '../lib/core.js';
import { PstoreError } from '../lib/errors.js';
import { contentBytes } from '../lib/pstore/content.js';
import { KINDS } from '../lib/source/kinds.js';
import { Scan } from '../lib/source/scan.js';
import { MemoryStorage } from '../lib/storage/memory.js';
import { FaultyStorage } from './builders/faulty.js';
import { HugeStorage } from './builders/huge.js';
import { SPECIMENS, type Specimen } from './builders/specimens.js';
import {
  checkNames,
  checkSizes,
  failureOf,
  HARMLESS_NAME,
  isSame,
  NOT_ERASED,
  type Read,
  readAll,
  readOne,
} from './builders/store.js';

const BLOCK = 4096;
/** Places at which a large specimen is cut while it is open. */
const CUTS = 40;
/** Where a specimen stands in a larger file. */
const AT = 1 << 18;

/** As much as is looked through of a medium that tells of no holes, several times over: no part of terabytes. */
const MAX_READ = 1 << 30;

/** Logs of crashes whose names were chosen to harm who reads them. */
const HOSTILE_TEXTS = [
  '\n<0>[    1.000000] Kernel panic - not syncing: \x1b]0;owned\x07\x1b[2J\u202etxt\n',
  '\n<1>[    1.000000] BUG: unable to handle page fault for address: 0\n<4>[    1.1] RIP: 0010:\x1b[31mbad\x9b0m+0x1/0x2\n',
  '\nKernel BUG at a\rb\x00c.c:1!\n',
];

/** Where the bytes of each record may lie: the zone, page or note that it begins in, or all zones that it is merged of. */
function placesOf(store: Pstore): Map<string, { from: number; to: number }> {
  const zones = [...store.info().zones];
  return new Map(
    [...store].map(({ name, offset }) => {
      const from = name.startsWith('ftrace-')
        ? zones.filter(({ type }) => type === 'ftrace')
        : zones.filter((one) => one.offset <= offset && offset < one.offset + one.size);
      const ends = from.map((zone) => zone.offset + zone.size);
      // A page with two records has one header, before both.
      const begins = from.map((zone) => zone.offset);
      return [name, { from: Math.min(offset, ...begins), to: Math.max(offset + BLOCK, ...ends) }] as const;
    }),
  );
}

/** Several zones are shown as one record: without one of them it is shorter, and that is said. */
const isMerged = (name: string) => name.startsWith('ftrace-');

const TOLD = ['geometry-guess', 'ecc-corrected', 'ecc-lost'];

/**
 * A record in a lost block answers EIO, unless its parity brings the bytes back, or tells which it cannot, or its zone's
 * size is now a guess: that is said.
 */
function isTold(store: Pstore, read: Read | undefined): boolean {
  return read === 'EIO' || store.warnings.some(({ code }) => TOLD.includes(code));
}

/** Bytes that no header of a record is shorter than. */
const HEADER = 12;

/** Notes of other types are ordinary in a core: one of which the type is wrong looks like them, and no kernel numbers any. */
const AMONG_OTHERS: ReadonlySet<string> = new Set(['vmcoredd']);

/** What cannot be opened is said, too. */
function orRefused(way: () => Pstore): Pstore | undefined {
  try {
    return way();
  } catch (error) {
    if (error instanceof PstoreError && error.code === 'EBADMSG') return undefined;
    throw error;
  }
}

/** Opens it by itself and named, since both ways look at the image. */
function bothWays(specimen: Specimen, image: Uint8Array | FaultyStorage, write = false): (() => Pstore)[] {
  return [{}, { backend: specimen.kind }].map((named) => () => open(image, { ...named, write, name: 'image.raw' }));
}

t.test('there is a specimen of every kind that is a file', async (t) => {
  for (const kind of KINDS) {
    if (kind.source === 'file')
      t.ok(
        SPECIMENS.some((specimen) => specimen.kind === kind.name),
        kind.name,
      );
  }
});

for (const specimen of SPECIMENS) {
  const title = `${specimen.kind}, ${specimen.name}`;

  t.test(`${title}: recognised, and the same however it is opened`, async (t) => {
    const [found, named] = bothWays(specimen, specimen.bytes()).map((way) => way());
    t.equal(found!.kind, specimen.kind);
    t.ok([...found!].length > 0, 'it holds records');
    const { types = [] } = KINDS.find(({ name }) => name === specimen.kind) ?? {};
    for (const { name, type } of found!) t.ok(types.includes(type), `${name}: its kind has this type`);
    t.same(readAll(found!), readAll(named!));
  });

  t.test(`${title}: find() gives what the list shows, and nothing else`, async (t) => {
    checkNames(t, open(specimen.bytes()));
  });

  t.test(`${title}: st_size is what reading gives, at any place`, async (t) => {
    checkSizes(t, open(specimen.bytes()));
  });

  t.test(`${title}: looking changes no byte`, async (t) => {
    const bytes = specimen.bytes();
    const before = bytes.slice();
    const medium = new FaultyStorage(new MemoryStorage(bytes));
    for (const way of bothWays(specimen, medium, true)) {
      const store = way();
      readAll(store);
      store.backend.refresh?.();
      for (const _ of store.info().zones);
      store.close();
    }
    t.same(medium.writes, []);
    t.ok(Buffer.compare(bytes, before) === 0);
  });

  t.test(`${title}: a header that is lost or damaged renames no other record in silence`, async (t) => {
    const healthy = open(specimen.bytes());
    const places = placesOf(healthy);
    const whole = readAll(healthy);
    for (const from of new Set([...places.values()].map((place) => place.from))) {
      const check = (way: () => Pstore, what: string) => {
        const store = orRefused(way);
        if (!store) return;
        const now = readAll(store);
        const isHit = (name: string) => places.get(name)!.from <= from && from < places.get(name)!.to;
        const changed = [...whole].filter(([name, read]) => !isHit(name) && !isSame(now.get(name), read));
        const isSaid = changed.length === 0 || store.warnings.length > 0;
        t.ok(isSaid, `${what} at ${from}: ${changed.map(([name]) => name)}`);
        store.close();
      };
      const lost = specimen.bytes();
      lost.fill(0, from, from + HEADER);
      for (const way of bothWays(specimen, lost)) check(way, 'without the header');
      for (let byte = 0; byte < HEADER && !AMONG_OTHERS.has(specimen.kind); byte++) {
        const wrong = specimen.bytes();
        wrong[from + byte]! ^= 1 << (byte % 8);
        // By turns recognised and named.
        check(bothWays(specimen, wrong)[byte % 2]!, `a wrong bit in byte ${byte} of the header`);
      }
    }
  });

  t.test(`${title}: a block that cannot be read costs at most the record in it`, async (t) => {
    const healthy = open(specimen.bytes());
    const places = placesOf(healthy);
    const whole = readAll(healthy);
    const bytes = specimen.bytes();
    for (let at = Math.min(specimen.header, bytes.length); at < bytes.length; at += BLOCK) {
      const medium = new FaultyStorage(new MemoryStorage(bytes));
      medium.broken = [{ offset: at, length: BLOCK, code: 'EIO', on: 'read' }];
      // By turns recognised and named: each looks at the image in its own way.
      for (const way of [bothWays(specimen, medium)[(at / BLOCK) % 2]!]) {
        const store = way();
        const now = readAll(store);
        for (const [name, read] of whole) {
          const place = places.get(name)!;
          const isHit = place.from < at + BLOCK && at < place.to;
          if (isSame(now.get(name), read)) continue;
          if (isHit && isMerged(name))
            t.ok(store.warnings.length > 0, `${name} without block ${at}: what it costs is said`);
          else if (!isHit) t.fail(`block ${at} is none of ${name}, but it is ${now.get(name) ?? 'missing'}`);
          else if (now.has(name))
            t.ok(isTold(store, now.get(name)), `${name} in block ${at} answers EIO, or another answer is said`);
          else t.ok(store.warnings.length > 0, `${name} in block ${at} is missing, and that is said`);
        }
        store.close();
      }
    }
  });

  t.test(`${title}: an image that cannot be read is not taken for another one`, async (t) => {
    const medium = new FaultyStorage(new MemoryStorage(specimen.bytes(), { path: 'image.raw' }));
    medium.broken = [{ offset: 0, length: medium.size, code: 'EIO', on: 'read' }];
    for (const way of bothWays(specimen, medium)) {
      t.throws(way, { code: 'EIO', exit: 74, message: /^image\.raw cannot be read anywhere/ });
    }
    medium.broken = [{ offset: 0, length: medium.size - 1, code: 'EIO', on: 'read' }];
    const [found] = bothWays(specimen, medium);
    t.match(failureOf(found!) ?? 'EIO', /^(EIO|EINVAL)$/, 'what is missed may be where it cannot be read');
  });

  t.test(`${title}: cut anywhere it opens or says what is wrong, and what it lists can be read`, async (t) => {
    const bytes = specimen.bytes();
    for (let end = 0; end < bytes.length; end += BLOCK) {
      for (const way of bothWays(specimen, bytes.slice(0, end))) {
        try {
          const store = way();
          for (const read of readAll(store).values()) if (typeof read === 'string') t.equal(read, 'EIO');
          store.close();
        } catch (error) {
          if (!(error instanceof PstoreError)) throw error;
          t.match(error.code, /^(EBADMSG|EINVAL|ENODATA|EIO)$/, `cut at ${end}: ${error.message}`);
          t.match(error.message, /image\.raw/, 'it names the image');
        }
      }
    }
  });

  t.test(`${title}: grown, it lists what it listed, or says that something is different`, async (t) => {
    const bytes = specimen.bytes();
    const before = readAll(open(bytes));
    for (const [fill, added] of [
      [0, BLOCK],
      [0xff, 16 * BLOCK],
    ] as const) {
      const grown = new Uint8Array(bytes.length + added).fill(fill);
      grown.set(bytes);
      for (const way of bothWays(specimen, grown)) {
        try {
          const store = way();
          const after = readAll(store);
          const isAsBefore =
            after.size === before.size && [...before].every(([name, read]) => isSame(after.get(name), read));
          t.ok(isAsBefore || store.warnings.length > 0, `${added} bytes of ${fill}`);
          store.close();
        } catch (error) {
          if (!(error instanceof PstoreError)) throw error;
          t.match(error.message, /image\.raw/, 'it names the image');
        }
      }
    }
  });

  t.test(`${title}: erased, erased again, and erased by another in the meantime`, async (t) => {
    const bytes = specimen.bytes();
    const store = open(bytes, { write: true });
    const twin = open(bytes, { write: true });
    for (const record of [...store]) {
      try {
        store.erase(record);
      } catch (error) {
        t.match(error, { code: NOT_ERASED }, 'a kind that does not erase says so');
        continue;
      }
      const after = bytes.slice();
      t.equal(store.backend.record(record.slot)?.name === record.name, false, `${record.name} is gone`);
      store.backend.erase(record.slot);
      if (twin.backend.find(record.name) !== undefined) twin.erase(record.name);
      t.ok(Buffer.compare(bytes, after) === 0, 'erasing it again writes nothing');
    }
  });

  t.test(`${title}: what goes with an erased record was announced, and what is open of it reads on`, async (t) => {
    const whole = readAll(open(specimen.bytes(), { backend: specimen.kind }));
    for (const name of whole.keys()) {
      const store = open(specimen.bytes(), { backend: specimen.kind, write: true });
      const { backend } = store;
      const slot = backend.find(name)!;
      const nameIn = (one: number) => backend.record(one)?.name;
      const announced = [slot, ...(backend.erasedWith?.(slot) ?? [])].map(nameIn).filter((one) => one !== undefined);
      const contents = new Map(announced.map((one) => [one, backend.open(backend.find(one)!)]));
      if (failureOf(() => backend.erase(slot)) !== undefined) continue;
      const left = new Set([...store].map((record) => record.name));
      t.same([...whole.keys()].filter((one) => !left.has(one)).sort(), announced.sort(), `what goes with ${name}`);
      for (const [one, content] of contents) {
        t.ok(isSame(contentBytes(content), whole.get(one)), `${one} is read on after ${name} was erased`);
      }
    }
  });

  t.test(`${title}: opened with ro it erases nothing, and says so`, async (t) => {
    const bytes = specimen.bytes();
    for (const named of [{}, { backend: specimen.kind }]) {
      const store = open(bytes, { ...named, keys: { ro: '' }, write: true });
      for (const record of [...store]) {
        t.match(
          failureOf(() => store.erase(record)),
          NOT_ERASED,
          record.name,
        );
      }
    }
    t.ok(Buffer.compare(bytes, specimen.bytes()) === 0, 'no byte has changed');
  });

  t.test(`${title}: what another one erases is gone at the next look, and the look says so`, async (t) => {
    const bytes = specimen.bytes();
    const store = open(bytes);
    const names = [...store].map(({ name }) => name);
    const other = open(bytes, { write: true });
    for (const record of [...other]) {
      const before = bytes.slice();
      const failed = failureOf(() => other.erase(record));
      if (failed !== undefined || Buffer.compare(bytes, before) === 0) continue;
      t.equal(store.backend.refresh?.(), true, `${record.name}: there is a change`);
      t.equal(store.backend.find(record.name) === undefined, true, `${record.name} is gone`);
    }
    const left = [...store].map(({ name }) => name);
    const stillThere = new Set<string>();
    // Without any record nothing may tell what the image is.
    failureOf(() => {
      for (const { name } of open(bytes, { backend: specimen.kind })) stillThere.add(name);
    });
    t.same(
      left,
      names.filter((name) => stillThere.has(name)),
    );
  });

  t.test(`${title}: what stands in the place of a record by now is not erased for it`, async (t) => {
    const names = [...open(specimen.bytes())].map(({ name }) => name);
    for (const name of names) {
      const bytes = specimen.bytes();
      const store = open(bytes, { write: true });
      const { from, to } = placesOf(store).get(name)!;
      readAll(store);
      bytes.fill(0x41, from, to);
      const written = bytes.slice();
      failureOf(() => store.erase(name));
      t.ok(Buffer.compare(bytes, written) === 0, name);
    }
  });

  t.test(`${title}: found in the middle of other bytes`, async (t) => {
    const bytes = specimen.bytes();
    const disk = new Uint8Array(AT + bytes.length + AT);
    disk.set(bytes, AT);
    const found = new Scan(new MemoryStorage(disk, { path: 'disk.img', writable: false }), { align: 512 }).regions();
    t.ok(
      found.some(({ kind, offset, sure }) => kind.name === specimen.kind && offset === AT && sure > 0.5),
      JSON.stringify(found.map(({ kind, offset, sure }) => [kind.name, offset, sure])),
    );
  });

  t.test(`${title}: among terabytes of zeros it is found, or not, without reading them`, async (t) => {
    const bytes = specimen.bytes();
    const before = readAll(open(bytes));
    const huge = (offset: number) => new HugeStorage(2 ** 41, [{ offset, bytes }]);
    for (const named of [{}, { backend: specimen.kind }]) {
      const medium = huge(0);
      try {
        const store = open(medium, { ...named, name: 'image.raw' });
        const after = readAll(store);
        const isAsBefore = [...before].every(([name, read]) => isSame(after.get(name), read));
        t.ok(isAsBefore || store.warnings.length > 0);
        for (const _ of store.info().zones);
      } catch (error) {
        if (!(error instanceof PstoreError)) throw error;
        t.match(error.message, /image\.raw/, 'it names the image');
      }
      t.ok(medium.bytesRead < MAX_READ, `${medium.bytesRead} bytes were read`);
    }
    const medium = huge(AT * BLOCK);
    const inSmall = new Uint8Array(2 * AT + bytes.length);
    inSmall.set(bytes, AT);
    const expected = new Scan(new MemoryStorage(inSmall), { align: 512 }).regions();
    const found = new Scan(medium, { align: 512 }).regions();
    const places = (regions: typeof found, at: number) => regions.map(({ kind, offset }) => [kind.name, offset - at]);
    t.same(places(found, AT * BLOCK), places(expected, AT));
    t.ok(medium.bytesRead < MAX_READ, `${medium.bytesRead} bytes were read by a scan`);
  });

  t.test(`${title}: an erase that the medium did not take is none, and the next one writes again`, async (t) => {
    for (const fault of ['sync', 'write'] as const) {
      const bytes = specimen.bytes();
      const medium = new FaultyStorage(new MemoryStorage(bytes));
      const store = open(medium, { write: true });
      for (const record of [...store]) {
        const before = bytes.slice();
        const whole = readOne(store, record);
        if (fault === 'sync') medium.failingSyncs = 1;
        else medium.broken = [{ offset: 0, length: bytes.length, code: 'EIO', on: 'write' }];
        const failed = failureOf(() => store.erase(record));
        medium.failingSyncs = 0;
        medium.broken = [];
        // A kind that does not erase, or one that has nothing to write for this record.
        if (failed !== 'EIO' && Buffer.compare(bytes, before) === 0) continue;
        t.equal(failed, 'EIO', `${record.name}: ${fault} fails, and that is said`);
        t.ok(Buffer.compare(bytes, before) === 0, `${record.name}: no byte has changed`);
        t.equal(store.backend.record(record.slot)?.name, record.name, `${record.name} is still shown`);
        t.same(readOne(store, record), whole, `${record.name} can still be read`);
        t.equal(
          failureOf(() => store.erase(record)),
          undefined,
        );
        t.ok(Buffer.compare(bytes, before) !== 0, `${record.name}: the next erase writes again`);
      }
    }
  });

  t.test(`${title}: a look at what has not changed finds no change`, async (t) => {
    const bytes = specimen.bytes();
    for (const keys of [{}, { salvage: '' }] as Record<string, string>[]) {
      fc.assert(
        fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 20 }), (damages) => {
          const damaged = bytes.slice();
          for (const [at, value] of damages) damaged[at] = value;
          try {
            const store = open(damaged, { backend: specimen.kind, keys });
            readAll(store);
            const looks = [1, 2, 3].map(() => store.backend.refresh?.() ?? false);
            const names = [...store].map(({ name }) => name);
            return !looks.includes(true) && names.length === new Set(names).size;
          } catch (error) {
            if (error instanceof PstoreError) return true;
            throw error;
          }
        }),
        { numRuns: 20 },
      );
    }
    t.pass('refresh() says false');
  });

  t.test(`${title}: what changes under an open record gives its bytes or EIO`, async (t) => {
    for (const fill of [0, 0xff, 0x41]) {
      const bytes = specimen.bytes();
      const store = open(bytes);
      const contents = [...store].map((record) => ({ record, content: store.backend.open(record.slot) }));
      bytes.fill(fill);
      for (const { record, content } of contents) {
        try {
          t.ok(content.read(new Uint8Array(record.size), 0) <= record.size);
        } catch (error) {
          t.match(error, { code: 'EIO' }, record.name);
        }
      }
      for (const record of store) readOne(store, record);
      store.backend.refresh?.();
      readAll(store);
    }
  });

  t.test(`${title}: a medium that is cut before the first look gives no other bytes`, async (t) => {
    const whole = readAll(open(specimen.bytes(), { backend: specimen.kind }));
    const { length } = specimen.bytes();
    for (let end = 0; end < length; end += Math.max(BLOCK / 2, Math.floor(length / CUTS))) {
      const medium = new FaultyStorage(new MemoryStorage(specimen.bytes(), { path: 'image.raw' }));
      const store = open(medium, { backend: specimen.kind, name: 'image.raw' });
      medium.end = end;
      for (const record of store) {
        const read = readOne(store, record);
        const isRight = isSame(read, whole.get(record.name)) || isTold(store, read);
        if (!isRight) t.fail(`${record.name} of the first ${end} bytes: ${typeof read}`);
        // Of a file that is said to be empty a kernel reads nothing, and nobody is told.
        if (read === 'EIO' && record.size === 0) t.fail(`${record.name} of the first ${end} bytes: seems to be empty`);
      }
    }
    t.pass('each is as it was, or answers EIO');
  });

  t.test(`${title}: no damage brings a name or a warning that a terminal or a shell trips over`, async () => {
    const bytes = specimen.bytes();
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 40 }), (damages) => {
        const damaged = bytes.slice();
        for (const [at, value] of damages) damaged[at] = value;
        try {
          const store = open(damaged, { backend: specimen.kind });
          const isNamed = [...store].every(({ name }) => HARMLESS_NAME.test(name));
          return isNamed && store.warnings.every(({ message }) => !/[\x00-\x1f\x7f-\x9f]/.test(message));
        } catch (error) {
          if (error instanceof PstoreError) return true;
          throw error;
        }
      }),
      { numRuns: 50 },
    );
  });

  t.test(`${title}: no text brings a title that a terminal trips over, or one of several lines`, async () => {
    const bytes = specimen.bytes();
    const texts = HOSTILE_TEXTS.map((text) => new TextEncoder().encode(text));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.constantFrom(...texts)), { maxLength: 40 }),
        (places) => {
          const written = bytes.slice();
          for (const [at, text] of places) written.set(text.subarray(0, written.length - at), at);
          let store: Pstore;
          try {
            store = open(written, { backend: specimen.kind });
          } catch (error) {
            if (error instanceof PstoreError) return true;
            throw error;
          }
          return [...readAll(store).values()].every((read) => {
            if (!(read instanceof Uint8Array)) return true;
            const titles = explain(Buffer.from(read).toString()).crashes.map((crash) => crash.title);
            return titles.every((one) => !/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.test(one));
          });
        },
      ),
      { numRuns: 50 },
    );
  });
}

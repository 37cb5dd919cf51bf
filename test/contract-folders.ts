// What every kind of backend that reads a folder promises: the same rules over a specimen of each, as real files.

import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { open, type Pstore } from '../lib/index.js';
import { KINDS } from '../lib/source/kinds.js';
import { FOLDER_SPECIMENS, type FolderSpecimen } from './builders/folder-specimens.js';
import {
  checkNames,
  checkSizes,
  failureOf,
  HARMLESS_NAME,
  isSame,
  NOT_ERASED,
  readAll,
  readOne,
} from './builders/store.js';

const made: string[] = [];
t.teardown(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

function folderOf({ files }: FolderSpecimen): string {
  const folder = mkdtempSync(join(tmpdir(), 'pstorefuse-contract-'));
  made.push(folder);
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
  return folder;
}

/** Everything in a folder, by its path. */
function filesIn(folder: string): Map<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(files.sort().map((path) => [path, readFileSync(path, 'latin1')]));
}

const namesOf = (store: Pstore) => [...store].map(({ name }) => name);

t.test('there is a specimen of every kind that reads a folder', async (t) => {
  for (const kind of KINDS) {
    if (kind.source === 'folder' || kind.folder !== undefined) {
      t.ok(
        FOLDER_SPECIMENS.some((specimen) => specimen.kind === kind.name),
        kind.name,
      );
    }
  }
});

for (const specimen of FOLDER_SPECIMENS) {
  const title = `${specimen.kind}, ${specimen.name}`;
  const named = { backend: specimen.kind };
  const writing = { ...named, write: true };

  t.test(`${title}: recognised, and the same however it is opened`, async (t) => {
    const folder = folderOf(specimen);
    const store = open(folder, named);
    t.ok([...store].length > 0, 'it holds records');
    const found = open(folder);
    t.equal(found.kind, specimen.kind);
    t.same(readAll(found), readAll(store));
    store.close();
    found.close();
  });

  t.test(`${title}: find() gives what the list shows, and nothing else`, async (t) => {
    const store = open(folderOf(specimen), named);
    checkNames(t, store);
    store.close();
  });

  t.test(`${title}: st_size is what reading gives, at any place`, async (t) => {
    const store = open(folderOf(specimen), named);
    checkSizes(t, store);
    store.close();
  });

  t.test(`${title}: looking changes no file, and a look at what has not changed finds no change`, async (t) => {
    const folder = folderOf(specimen);
    const before = filesIn(folder);
    const store = open(folder, writing);
    readAll(store);
    for (let look = 0; look < 3; look++) t.equal(store.backend.refresh?.() ?? false, false);
    for (const _ of store.info().zones);
    store.close();
    t.same(filesIn(folder), before);
  });

  t.test(`${title}: erased, erased again, and erased by another in the meantime`, async (t) => {
    const folder = folderOf(specimen);
    const store = open(folder, writing);
    const whole = readAll(store);
    for (const record of [...store]) {
      const failed = failureOf(() => store.erase(record));
      if (failed !== undefined) {
        t.match(failed, NOT_ERASED, 'a kind that does not erase says so');
        continue;
      }
      whole.delete(record.name);
      t.equal(store.backend.find(record.name), undefined, `${record.name} is gone`);
      const after = filesIn(folder);
      store.backend.erase(record.slot);
      t.same(filesIn(folder), after, 'erasing it again removes nothing');
      const later = open(folder, named);
      t.same(readAll(later), whole, 'the others stay');
      later.close();
    }
    store.close();
  });

  t.test(`${title}: opened with ro it erases nothing, and says so`, async (t) => {
    const folder = folderOf(specimen);
    const before = filesIn(folder);
    const store = open(folder, { ...named, keys: { ro: '' } });
    readAll(store);
    for (const record of [...store]) {
      const failed = failureOf(() => store.erase(record));
      t.match(failed, NOT_ERASED, record.name);
    }
    store.close();
    t.same(filesIn(folder), before);
  });

  t.test(
    `${title}: a file that is gone costs its record, is missed at the next look, and the look says so`,
    async (t) => {
      for (const name of Object.keys(specimen.files)) {
        const folder = folderOf(specimen);
        const store = open(folder, named);
        const whole = new Map([...store].map((record) => [record.name, record.size]));
        rmSync(join(folder, name));
        for (const record of [...store]) {
          const read = readOne(store, record);
          if (typeof read === 'string') t.match(read, /^(EIO|ENOENT)$/, `${name} is gone: ${record.name}`);
        }
        const left = failureOf(() => {
          const fresh = open(folder, named);
          const names = namesOf(fresh);
          fresh.close();
          t.equal(store.backend.refresh?.() ?? false, names.length !== whole.size, `without ${name}`);
          t.same(namesOf(store), names);
        });
        t.equal(left, undefined);
        store.close();
      }
    },
  );

  t.test(`${title}: what stands in the place of a record by now is not erased for it`, async (t) => {
    const first = open(folderOf(specimen), named);
    const names = namesOf(first);
    first.close();
    for (const name of names) {
      const folder = folderOf(specimen);
      const store = open(folder, writing);
      readAll(store);
      for (const file of Object.keys(specimen.files)) {
        writeFileSync(join(folder, 'new'), 'something else');
        renameSync(join(folder, 'new'), join(folder, file));
      }
      const written = filesIn(folder);
      failureOf(() => store.erase(name));
      store.close();
      t.same(filesIn(folder), written, name);
    }
  });

  t.test(`${title}: what was written anew is shown as it is now`, async (t) => {
    const folder = folderOf(specimen);
    const store = open(folder, named);
    readAll(store);
    for (const name of Object.keys(specimen.files)) {
      const bytes = readFileSync(join(folder, name));
      bytes[bytes.length - 2]! ^= 0x20;
      const aside = mkdtempSync(join(tmpdir(), 'pstorefuse-contract-'));
      made.push(aside);
      writeFileSync(join(aside, 'new'), bytes);
      renameSync(join(aside, 'new'), join(folder, name));
    }
    store.backend.refresh?.();
    const fresh = open(folder, named);
    t.same(readAll(store), readAll(fresh));
    store.close();
    fresh.close();
  });

  t.test(`${title}: what else stands in the folder, whatever it is called, changes nothing`, async (t) => {
    const folder = folderOf(specimen);
    const before = open(folder, named);
    const whole = readAll(before);
    before.close();
    execFileSync('mkfifo', [join(folder, 'a pipe that nobody writes to')]);
    symlinkSync('/nowhere', join(folder, 'a link to nothing'));
    symlinkSync(folder, join(folder, 'a loop'));
    symlinkSync('/etc/passwd', join(folder, 'a link out of the folder'));
    for (const name of ['-rf', '--help', '.hidden', 'a\nb', '\x1b[31m', '\u202e', ' ', 'x'.repeat(255)]) {
      writeFileSync(join(folder, name), 'something else');
    }
    const store = open(folder, named);
    const names = namesOf(store);
    t.same(new Set(names).size, names.length, 'each name is there once');
    for (const name of names) t.match(name, HARMLESS_NAME);
    for (const { message } of store.warnings) t.notMatch(message, /[\x00-\x1f\x7f-\x9f\u202e]/);
    for (const [name, read] of whole) {
      const record = [...store].find((one) => one.name === name);
      t.ok(record !== undefined && isSame(readOne(store, record), read), `${name} is as before`);
    }
    store.close();
  });
}

// Stores in which anything may be wrong: nothing is read outside of them, every look ends, every name is a file's.

import fc from 'fast-check';
import t from 'tap';
import { efi } from '../../lib/efi/backend.js';
import { PstoreError } from '../../lib/errors.js';
import type { Backend } from '../../lib/pstore/backend.js';
import { contentBytes } from '../../lib/pstore/content.js';
import {
  dmpstore,
  efivarExport,
  firmwareVolume,
  type Layout,
  type PlannedVariable,
  qemuJson,
  ubootFile,
  variableStore,
  vmwareFile,
} from '../builders/efi.js';
import { MemoryFolder, openBytes, openFiles, recordsOf, sureOf } from '../builders/open.js';

/** Names as nobody gives them: surrogates, slashes, controls, dots. */
const name = fc.oneof(
  fc.string({ maxLength: 40, unit: 'binary' }),
  fc.constantFrom('..', '.', '/', '../../etc/passwd', '\u202e', '\ud800', 'a/b', '\u0001'),
  fc
    .tuple(fc.nat(9), fc.nat(200), fc.nat(2000), fc.nat(), fc.constantFrom('C', 'D'))
    .map(([type, part, count, time, letter]) => {
      return `dump-type${type}-${part}-${count}-${time}-${letter}`;
    }),
);
const variable: fc.Arbitrary<PlannedVariable> = fc.record({
  name,
  data: fc.uint8Array({ maxLength: 300 }),
  state: fc.constantFrom(0x3f, 0x3f, 0x3f, 0x3e, 0x3d, 0x3c, 0x7f, 0xff, 0x12),
});
const variables = fc.array(variable, { maxLength: 12 });
const damage = fc.array(fc.tuple(fc.nat(0x9000), fc.nat(255)), { maxLength: 12 });

function damaged(bytes: Uint8Array, wrong: readonly (readonly [number, number])[], cut: number): Uint8Array {
  const image = Uint8Array.from(bytes.subarray(0, bytes.length - Math.min(cut, bytes.length - 1)));
  for (const [at, value] of wrong) image[at % image.length] = value;
  return image;
}

/** Everything that may be asked of a backend. @returns whether all of it is as it must be */
function isSane(backend: Backend): boolean {
  const records = recordsOf(backend);
  const names = records.map((record) => record.name);
  if (new Set(names).size !== names.length) return false;
  for (const record of records) {
    if (/[/\0-\x1f\x7f]/.test(record.name) || record.name.startsWith('.') || record.name.length > 200) return false;
    if (backend.find(record.name) !== record.slot) return false;
    if (contentBytes(backend.open(record.slot)).length !== record.size) return false;
  }
  for (const zone of backend.info().zones) if (/[\0-\x1f\x7f\u202e]/.test(zone.reason ?? '')) return false;
  return backend.warnings.list.every(({ message }) => !/[\0-\x1f\x7f\u202e]/.test(message));
}

/** Opens where it can be, by force and by itself. */
function survives(image: Uint8Array): boolean {
  const before = Uint8Array.from(image);
  sureOf(efi, image);
  for (const salvage of [false, true]) {
    try {
      const backend = openBytes(efi, image, { salvage });
      if (!isSane(backend)) return false;
    } catch (error) {
      if (!(error instanceof PstoreError)) throw error;
    }
  }
  return before.every((byte, i) => byte === image[i]);
}

const layout = fc.constantFrom<Layout>('authenticated', 'plain', 'apple');
const signature = fc.constantFrom(undefined, '$VSS' as const, '$SVS' as const);

t.test('flash images', (t) => {
  fc.assert(
    fc.property(
      variables,
      layout,
      signature,
      damage,
      fc.nat(0x9000),
      fc.boolean(),
      (list, kind, sign, wrong, cut, isCut) => {
        const store = variableStore(list, { layout: kind, signature: sign, packed: sign !== undefined });
        return survives(damaged(firmwareVolume(store), wrong, isCut ? cut : 0));
      },
    ),
    { numRuns: 400 },
  );
  t.end();
});

t.test('damage in headers', (t) => {
  const image = firmwareVolume(
    variableStore([
      { name: 'dump-type0-1-1-5-D', data: 'one' },
      { name: 'dump-type0-2-1-5-D', data: 'two' },
    ]),
  );
  for (let at = 0; at < 72 + 28 + 220; at++) {
    for (const value of [0x00, 0x7f, 0xff])
      if (!survives(damaged(image, [[at, value]], 0))) t.fail(`${value} at ${at}`);
  }
  t.pass('each byte of them');
  t.end();
});

t.test('saved files, and folders of them', (t) => {
  const builders = [
    dmpstore,
    ubootFile,
    qemuJson,
    vmwareFile,
    (list: readonly PlannedVariable[]) => {
      return list.length === 0 ? Buffer.alloc(1) : efivarExport(list[0]!);
    },
  ];
  fc.assert(
    fc.property(variables, fc.constantFrom(...builders), damage, fc.nat(300), name, (list, build, wrong, cut, file) => {
      const image = damaged(build(list), wrong, cut);
      if (!survives(image)) return false;
      const folder = new MemoryFolder({ [file]: image, [`${file}-cfc8fc79-be2e-4ddc-97f0-9f98bfe298a0`]: image });
      efi.folder!.probe(folder);
      return isSane(openFiles(efi, folder, { salvage: true }));
    }),
    { numRuns: 400 },
  );
  t.end();
});

t.test('erasing whatever is shown changes one byte for each record', (t) => {
  fc.assert(
    fc.property(variables, damage, (list, wrong) => {
      const image = damaged(firmwareVolume(variableStore(list)), wrong, 0);
      const before = Uint8Array.from(image);
      let backend: Backend;
      try {
        backend = openBytes(efi, image);
      } catch {
        return true;
      }
      const records = recordsOf(backend);
      for (const { slot } of records) backend.erase(slot);
      const changed = [...image.keys()].filter((at) => image[at] !== before[at]);
      const states = new Set(records.map(({ offset }) => offset + 2));
      return (
        recordsOf(backend).length === 0 && changed.every((at) => states.has(at) && image[at] === (before[at]! & 0xfd))
      );
    }),
    { numRuns: 100 },
  );
  t.end();
});

// The crash info header field by field: what is one, what its sizes are worth, and how registers and CPUs are written.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import * as fadump from '../../lib/fadump/format.js';
import { buildFadump, type FadumpSpec, registerValue } from '../builders/fadump.js';

const ENDIANS = ['little', 'big'] as const;
const FIXED = { old: 24, new: 40, draft: 56 };

t.test('the magic', async (t) => {
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));
  t.same(fadump.readFadumpMagic(bytes('FADMPSIG')), { endian: 'big', old: false });
  t.same(fadump.readFadumpMagic(bytes('GISPMDAFmore')), { endian: 'little', old: false });
  t.same(fadump.readFadumpMagic(bytes('FADMPINF')), { endian: 'big', old: true });
  t.same(fadump.readFadumpMagic(bytes('FNIPMDAF')), { endian: 'little', old: true });
  for (const text of ['', 'FADMPSI', 'fadmpsig', ' FADMPSIG', '\0'.repeat(8)]) {
    t.equal(fadump.readFadumpMagic(bytes(text)), undefined, JSON.stringify(text));
  }
});

t.test('every field comes back, from the fixed part alone, and from no byte less', async () => {
  const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  // At the beginning of a page, as the kernel has them: what is no size, whichever layout it is taken for.
  const page = u64.map((address) => address & ~0xfffn);
  const spec = fc.record({
    endian: fc.constantFrom(...ENDIANS),
    layout: fc.constantFrom('old', 'new', 'draft'),
    version: fc.nat(0xffffffff),
    cpu: fc.oneof(fc.nat(0xfffffffe), fc.constantFrom(0, 0xffffffff)),
    elfcorehdr: fc.tuple(page, u64),
    vmcoreinfo: fc.tuple(page, u64),
    ptRegs: fc.constantFrom(352, 368, 384, 176),
    cpumask: fc.integer({ min: 1, max: 2048 }).map((words) => words * 4),
  });
  fc.assert(
    fc.property(spec, ({ endian, layout, version, cpu, elfcorehdr, vmcoreinfo, ptRegs, cpumask }) => {
      const built = buildFadump({ endian, layout, version, cpu, elfcorehdr, vmcoreinfo, ptRegs, cpumask, cpus: [] });
      const isOld = layout === 'old';
      assert.deepEqual(fadump.readFadumpHeader(built.subarray(0, FIXED[layout])), {
        ...{ layout, endian, valid: true, regsOffset: FIXED[layout] },
        version: isOld ? null : version,
        crashingCpu: cpu === 0xffffffff ? null : cpu,
        elfcorehdrAddress: layout === 'new' ? null : elfcorehdr[0],
        elfcorehdrSize: layout === 'draft' ? elfcorehdr[1] : null,
        vmcoreinfoAddress: isOld ? null : vmcoreinfo[0],
        vmcoreinfoSize: isOld ? null : vmcoreinfo[1],
        ptRegsSize: isOld ? null : ptRegs,
        cpumaskSize: isOld ? null : cpumask,
      });
      const cut = fadump.readFadumpHeader(built.subarray(0, FIXED[layout] - 1));
      assert.equal(cut?.layout, layout === 'draft' ? 'new' : undefined, 'a cut draft looks like a new one');
    }),
    { numRuns: 300 },
  );
});

t.test('new or draft: the likelier sizes, in doubt new', async (t) => {
  for (const endian of ENDIANS) {
    // Sizes as new, and those that a draft header would have at bytes 48 and 52.
    for (const [ours, theirs, layout] of [
      [[352, 256], [352, 256], 'new'],
      [[0, 0], [0, 0], 'new'],
      [[360, 256], [352, 256], 'draft'],
      [[360, 256], [360, 256], 'new'],
      [[4100, 256], [4096, 256], 'draft'],
      [[172, 256], [180, 256], 'draft'],
      [[362, 256], [364, 256], 'draft'],
      [[352, 8196], [360, 8192], 'draft'],
      [[352, 0], [360, 4], 'draft'],
      [[352, 6], [360, 8], 'draft'],
      [[0, 0], [352, 0], 'draft'],
    ] as const) {
      const built = buildFadump({ endian, layout: 'new', claims: { ptRegs: ours[0], cpumask: ours[1] } });
      const view = new DataView(built.buffer);
      view.setUint32(48, theirs[0], endian === 'little');
      view.setUint32(52, theirs[1], endian === 'little');
      t.equal(fadump.readFadumpHeader(built)?.layout, layout, `${endian} ${ours} or ${theirs}`);
    }
  }
});

t.test('a header whose magic was cleared', async (t) => {
  const built = (spec: Partial<FadumpSpec>) => buildFadump({ endian: 'big', layout: 'new', ...spec }).fill(0, 0, 8);
  for (const endian of ENDIANS) {
    for (const layout of ['new', 'draft'] as const) {
      const header = fadump.readInvalidatedHeader(built({ endian, layout }));
      t.match(header, { endian, layout, valid: false, version: 1, ptRegsSize: 352, cpumaskSize: 256 });
      t.equal(fadump.readFadumpHeader(built({ endian, layout })), undefined);
      t.equal(fadump.judgeFadumpHeader(header!)[0]!.kind, 'invalidated');
    }
  }
  t.ok(fadump.readInvalidatedHeader(built({}).subarray(0, 40)));
  t.ok(fadump.readInvalidatedHeader(built({ ptRegs: 360 })), 'of a kernel to come');
  for (const [name, bytes] of Object.entries({
    cut: built({}).subarray(0, 39),
    'another version': built({ version: 2 }),
    'no sizes': built({ claims: { ptRegs: 352, cpumask: 0 } }),
    old: built({ layout: 'old' }),
    'a magic': buildFadump({ endian: 'big', layout: 'new' }),
    'the rest of one': built({}).fill(1, 7, 8),
    zeros: new Uint8Array(4096),
  })) {
    t.equal(fadump.readInvalidatedHeader(bytes), undefined, name);
  }
});

t.test('verdicts', async (t) => {
  const kinds = (spec: Partial<FadumpSpec>, expected?: fadump.FadumpExpectation) => {
    const header = fadump.readFadumpHeader(buildFadump({ endian: 'big', layout: 'new', ...spec }))!;
    return fadump
      .judgeFadumpHeader(header, expected)
      .map(({ kind }) => kind)
      .join();
  };
  t.equal(kinds({}), 'good');
  t.equal(kinds({}, { endian: 'big', ptRegsSize: 352, cpumaskSize: 256 }), 'good');
  t.equal(kinds({ layout: 'old' }, { ptRegsSize: 1, cpumaskSize: 1 }), 'old-magic', 'it says no sizes');
  t.equal(kinds({ version: 0 }, { endian: 'little' }), 'other-byte-order,unknown-version');
  t.equal(kinds({ claims: { ptRegs: 356, cpumask: 6 } }), 'size-mismatch,size-mismatch');
  for (const [cpumask, kind] of [
    [0, 'size-mismatch'],
    [4, 'good'],
    [8192, 'good'],
    [8196, 'size-mismatch'],
  ] as const) {
    t.equal(kinds({ claims: { cpumask } }), kind, `a mask of ${cpumask}`);
    t.equal(kinds({ claims: { cpumask } }, { cpumaskSize: cpumask }), 'good', 'expected so');
  }
});

t.test('sizes to read by', async (t) => {
  const sizes = (spec: Partial<FadumpSpec>, total?: number) => {
    const header = fadump.readFadumpHeader(buildFadump({ endian: 'big', layout: 'new', ...spec }))!;
    return Object.values(fadump.fadumpSizes(header, total));
  };
  t.same(sizes({ claims: { ptRegs: 4097, cpumask: 8193 } }, 999), [4096, 8192], 'no more than can be believed');
  t.same(sizes({ claims: { ptRegs: 4096, cpumask: 8192 } }), [4096, 8192]);
  for (const [total, expected] of [
    [undefined, [352, 0]],
    [24 + 352 + 8, [352, 8]],
    [24 + 352 + 4, [352, 0]],
    [24 + 368 + 256, [368, 256]],
    [24 + 384 + 8192, [384, 8192]],
    [24 + 352 + 48, [352, 0]],
    // 352 and 64, or 384 and 32.
    [24 + 352 + 64, [352, 0]],
    // 176 and 512: not the registers of a 64-bit kernel.
    [24 + 176 + 512, [352, 0]],
    [0, [352, 0]],
  ] as const) {
    t.same(sizes({ layout: 'old' }, total), expected, `the ELF core header at ${total}`);
  }
  t.equal(fadump.OLD_HEADER_LIMIT, 24 + 384 + 8192);
});

t.test('registers', async (t) => {
  t.same([176, 348, 351, 352, 384].map(fadump.registerBits), [32, 32, 32, 64, 64]);
  const names = (bits: 32 | 64) =>
    [0, 31, 32, 35, 39, 40, 43, 44, 45, 999].map((n) => fadump.registerName(n, bits)).join(' ');
  t.equal(names(64), 'gpr0 gpr31 nip ctr softe trap result ppr word45 word999');
  t.equal(names(32), 'gpr0 gpr31 nip ctr mq trap result word44 word45 word999');
  for (const endian of ENDIANS) {
    for (const bits of [32, 64] as const) {
      const built = buildFadump({ endian, layout: 'new', bits, ptRegs: bits === 32 ? 176 : 352 });
      const text = fadump.registersText(built.subarray(40, 40 + (3 * bits) / 8 - 1), endian, bits);
      const value = (n: number) =>
        registerValue(n, bits)
          .toString(16)
          .padStart(bits / 4, '0');
      t.equal(text, `gpr0      0x${value(0)}\ngpr1      0x${value(1)}\n`, 'the third is cut');
    }
  }
});

t.test('any CPUs are listed as the kernel lists them', async () => {
  const cpus = fc.uniqueArray(fc.oneof(fc.nat(255), fc.nat(20)), { maxLength: 60 });
  fc.assert(
    fc.property(cpus, fc.constantFrom(...ENDIANS), fc.constantFrom(32, 64), fc.nat(3), (cpus, endian, bits, more) => {
      const built = buildFadump({ endian, layout: 'new', cpumask: 32, cpus, bits });
      const mask = new Uint8Array(32 + more).fill(0xff);
      mask.set(built.subarray(-32));
      const set = new Set(cpus);
      const firsts = [...set].filter((cpu) => !set.has(cpu - 1)).sort((a, b) => a - b);
      const ranges = firsts.map((first) => {
        let last = first;
        while (set.has(last + 1)) last++;
        return last === first ? `${first}` : `${first}-${last}`;
      });
      assert.equal(fadump.cpuList(mask, endian, bits), ranges.join(','), 'and a cut word is none');
    }),
    { numRuns: 300 },
  );
});

t.test('the text of a header', async (t) => {
  const text = (spec: Partial<FadumpSpec>, mask: readonly number[]) => {
    const header = fadump.readFadumpHeader(buildFadump({ endian: 'big', layout: 'draft', ...spec }))!;
    const verdicts = [
      { kind: 'good', sentence: 'one' },
      { kind: 'good', sentence: 'two' },
    ] as const;
    return fadump.fadumpHeaderText(header, verdicts, fadump.fadumpSizes(header), Uint8Array.from(mask)).split('\n');
  };
  t.same(text({ cpu: 0xffffffff }, [0, 0, 0, 0, 0, 0, 0, 6]), [
    'magic:              FADMPSIG',
    'byte order:         big-endian',
    'layout:             draft',
    'verdict:            one',
    'verdict:            two',
    'version:            1',
    'crashing CPU:       unknown (0xffffffff)',
    'elfcorehdr address: 0x0000000123456000',
    'elfcorehdr size:    4096 bytes',
    'vmcoreinfo address: 0x0000000200001000',
    'vmcoreinfo size:    4096 bytes',
    'pt_regs size:       352 bytes',
    'cpumask size:       256 bytes',
    'CPUs:               1-2',
    '',
  ]);
  const old = text({ layout: 'old', cpu: 0 }, new Array(8).fill(0));
  t.same(
    [old[0], ...old.slice(5)],
    [
      'magic:              FADMPINF',
      'crashing CPU:       0',
      'elfcorehdr address: 0x0000000123456000',
      'CPUs:               none',
      '',
    ],
  );
  t.notMatch(text({}, []).join(), /CPUs:/, 'no mask is known');
});

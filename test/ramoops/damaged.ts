// A region that is damaged in a place or two shows what it shows with the kernel's own sizes: damage must not make another
// layout seem likelier, by which whole records are lost.

import t from 'tap';
import { open } from '../../lib/core.js';
import { readAll } from '../builders/store.js';
import { goldenImage } from '../fixture-path.js';

const BLOCK = 4096;
const KEYS = {
  'r4-none': {
    mem_size: '256K',
    record_size: '32K',
    console_size: '32K',
    ftrace_size: '0',
    pmsg_size: '32K',
    ecc: '16',
  },
  r3: { mem_size: '256K', record_size: '32K', console_size: '32K', ftrace_size: '0', pmsg_size: '16K', ecc: '16' },
  'n-r-reserve': {
    mem_size: '256K',
    record_size: '32K',
    console_size: '32K',
    ftrace_size: '0',
    pmsg_size: '16K',
    ecc: '0',
  },
} as const;

interface Damage {
  readonly folder: keyof typeof KEYS;
  act(bytes: Uint8Array): unknown;
}

const DAMAGES: Readonly<Record<string, Damage>> = {
  'the first block, and the line of another dump': {
    folder: 'r4-none',
    act: (bytes) => bytes.fill(0, 0, BLOCK).fill(0xff, 0x1000c, 0x10020),
  },
  'two blocks that a header lies in': {
    folder: 'n-r-reserve',
    act: (bytes) => bytes.fill(0xff, 0x19000, 0x1a000).fill(0, 0x1a000, 0x1b000),
  },
  'the block of the end of a header': { folder: 'r3', act: (bytes) => bytes.fill(0xff, 0x1a000, 0x1b000) },
  'the block of the beginning of a header': { folder: 'r3', act: (bytes) => bytes.fill(0, 0x19000, 0x1a000) },
  'a bit of where a dump begins': { folder: 'n-r-reserve', act: (bytes) => (bytes[35498 + 4]! ^= 1) },
  'a bit of how much a dump holds': { folder: 'n-r-reserve', act: (bytes) => (bytes[35498 + 9]! ^= 0x80) },
  "the console's header": { folder: 'r4-none', act: (bytes) => bytes.fill(0xff, 0x30000, 0x30008) },
};

for (const [name, { folder, act }] of Object.entries(DAMAGES)) {
  t.test(name, async (t) => {
    const bytes = goldenImage(folder).slice();
    act(bytes);
    const wanted = readAll(open(bytes.slice(), { backend: 'ramoops', keys: KEYS[folder] }));
    t.ok(wanted.size > 1);
    t.same(readAll(open(bytes)), wanted, [...wanted.keys()].join());
  });
}

// What is fuzzed: each target makes an input of seeds and random numbers, and checks what must hold for any input.

import { existsSync } from 'node:fs';
import { sw842 } from '../../lib/compress/842.js';
import type { Codec } from '../../lib/compress/codec.js';
import { deflate } from '../../lib/compress/deflate.js';
import { lz4, lz4hc } from '../../lib/compress/lz4.js';
import { lzo } from '../../lib/compress/lzo.js';
import { zlib } from '../../lib/compress/zlib.js';
import { zstd } from '../../lib/compress/zstd.js';
import type * as Core from '../../lib/core.js';
import { open } from '../../lib/core.js';
import { PstoreError } from '../../lib/errors.js';
import { FuseSession } from '../../lib/mount/fuse-session.js';
import { parseSource } from '../../lib/source/grammar.js';
import { explain } from '../../lib/triage/explain.js';
import { androidSparse, gptDisk, nandDump } from '../builders/disk.js';
import { dmpstore, efivarExport, qemuJson, ubootFile, vmwareFile } from '../builders/efi.js';
import { flattened } from '../builders/flattened.js';
import { SPECIMENS } from '../builders/specimens.js';
import { goldenImage } from '../fixture-path.js';
import { COMMAND_TARGETS } from './command-targets.js';
import { MOUNT_TARGET } from './mount-target.js';
import { mutate } from './mutate.js';
import { page } from './page.js';
import type { Random } from './random.js';
import { byTree, isSame, isSameRead, look, must, orCode, type Shown } from './sane.js';

export interface Target {
  readonly name: string;
  /** One input takes as long as hundreds of others: it is not run again to see what code it runs. */
  readonly isSlow?: boolean;
  /** Inputs to begin with. */
  seeds(): readonly Uint8Array[];
  /** Runs one input. @throws where something does not hold */
  run(input: Uint8Array, random: Random): void | Promise<void>;
}

const CODECS: readonly Codec[] = [zlib, deflate, lz4, lz4hc, lzo, zstd, sw842];
const LOG = new TextEncoder().encode(`Oops#1 Part1\n${'<6>[    1.234567] usb 1-1: new device\n'.repeat(60)}`);

function codecTarget(codec: Codec): Target {
  return {
    name: `codec-${codec.name}`,
    seeds: () => [codec.compress(LOG), codec.compress(new Uint8Array(0)), codec.compress(new Uint8Array(5000))],
    run: (input, random) => {
      const limit = random.pick([0, 1, 100, 4096, 65_536]);
      const whole = codec.decompress(input, limit);
      if (whole) {
        must(whole.output.length <= limit, `${whole.output.length} bytes of text, and ${limit} are the limit`);
        must(whole.used >= 0 && whole.used <= input.length, `${whole.used} of ${input.length} bytes were used`);
      }
      const beginning = codec.beginning(input, limit);
      must(beginning.length <= limit, `a beginning of ${beginning.length} bytes, and ${limit} are the limit`);
      const text = input.subarray(0, 2000);
      const back = codec.decompress(codec.compress(text), text.length);
      must(back !== undefined && Buffer.compare(back.output, text) === 0, 'what was compressed does not come back');
    },
  };
}

/** One in so many images is looked at in every way that there is. */
const DIFFERENTIAL = 16;
let browser: typeof Core | undefined;

function imageTarget(name: string, kind: string, seeds: () => readonly Uint8Array[]): Target {
  return {
    name,
    seeds,
    run: (input, random) => {
      const way = random.pick([{}, { backend: kind }, { backend: kind, keys: { salvage: '' } }]);
      const shown = look(input, way);
      if (shown && random.oneIn(DIFFERENTIAL)) agree(input, way, shown);
    },
  };
}

/** The library, the tree that a mount serves, and the core in a page show the same. */
function agree(input: Uint8Array, way: Core.OpenImageOptions, shown: Shown): void {
  const store = open(input, way);
  must(isSame(byTree(store), shown), 'the tree shows something else than the library');
  store.close();
  browser ??= page().core;
  const inPage = browser.open(input, way);
  const names = [...inPage].map(({ name }) => name);
  must(names.join() === [...shown.keys()].join(), `a page lists ${names}, the library ${[...shown.keys()]}`);
  for (const [name, read] of shown) {
    if (typeof read === 'string') continue;
    must(isSameRead(Buffer.from(inPage.read(name)), read), `${name} has other bytes in a page`);
  }
  inPage.close();
}

const REQUEST_HEADER = 40;
const MAX_REQUESTS = 24;

/** Requests of a kernel that has lost its mind. The input is a row of them, each of which says how long it is. */
function fuseTarget(): Target {
  const word = (bytes: Uint8Array, at: number) => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
  const request = (opcode: number, node: number, body: Uint8Array) => {
    const header = new DataView(new ArrayBuffer(REQUEST_HEADER + 2));
    header.setUint16(0, REQUEST_HEADER + body.length, true);
    header.setUint32(2, REQUEST_HEADER + body.length, true);
    header.setUint32(6, opcode, true);
    header.setUint32(10, 1, true);
    header.setUint32(18, node, true);
    return Buffer.concat([new Uint8Array(header.buffer), body]);
  };
  const init = request(26, 0, Uint8Array.from([7, 0, 0, 0, 41, 0, 0, 0, 0, 0, 2, 0, 255, 255, 255, 255]));
  const name = Buffer.from('dmesg-pstore_blk-0\0');
  const bodies = [
    new Uint8Array(0),
    name,
    new Uint8Array(8),
    new Uint8Array(24).fill(1),
    new Uint8Array(40),
    new Uint8Array(88),
  ];
  return {
    name: 'fuse',
    seeds: () =>
      Array.from({ length: 52 }, (_, opcode) =>
        Buffer.concat([
          init,
          ...bodies.map((body) => request(opcode, 1, body)),
          request(1, 1, name),
          request(opcode, 1025, bodies[4]!),
        ]),
      ),
    run: (input, random) => {
      const store = open(goldenImage('s1'), { write: true });
      const bugs: string[] = [];
      let answers = 0;
      const session = new FuseSession(
        store.tree({ layout: random.pick(['flat', 'both', 'subdirs']), readOnly: random.oneIn(3) }),
        {
          readOnly: random.oneIn(3),
          updateMs: random.pick([0, 1000]),
          onActivity: () => {},
          log: (line) => bugs.push(line),
        },
        (bytes, length) => {
          must(
            new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === length,
            'an answer lies of its length',
          );
          if (new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true) !== 0) answers++;
        },
      );
      for (let at = 0, count = 0; at + 2 < input.length && count < MAX_REQUESTS; count++) {
        const length = Math.min(word(input, at), session.request.bytes.length, input.length - at - 2);
        session.request.bytes.set(input.subarray(at + 2, at + 2 + length));
        answers = 0;
        session.handle(length);
        must(answers <= 1, `one request had ${answers} answers`);
        at += 2 + length;
      }
      const bug = bugs.find((line) => line.includes('a bug of pstorefuse'));
      must(bug === undefined, bug ?? '');
      store.close();
    },
  };
}

const SOURCES = [
  'pstore_blk:/dev/mmcblk0p7,kmsg_size=64K,pmsg_size=0',
  'ramoops:mem.raw,record_size=0x4000,ecc=16,salvage',
  'a,,b.raw,offset=1M,size=64K,label=x',
];

const textTargets: readonly Target[] = [
  {
    name: 'source',
    seeds: () => SOURCES.map((text) => new TextEncoder().encode(text)),
    // What a person types comes back in messages as it is: whoever prints it makes it fit for a terminal.
    run: (input) => {
      try {
        parseSource(Buffer.from(input).toString('utf8'), () => false);
      } catch (error) {
        must(error instanceof PstoreError, String(error));
      }
    },
  },
  {
    name: 'explain',
    seeds: () => [LOG, new TextEncoder().encode(OOPS)],
    run: (input) => void orCode(() => explain(Buffer.from(input).toString('latin1'))),
  },
];

const OOPS = `<1>[   12.345678] BUG: unable to handle page fault for address: 0000000000000008
<1>[   12.345679] #PF: supervisor write access in kernel mode
<4>[   12.345680] Oops: 0002 [#1] SMP PTI
<4>[   12.345681] CPU: 0 PID: 77 Comm: sh Tainted: G      D  6.1.0 #1
<4>[   12.345682] RIP: 0010:sysrq_handle_crash+0x12/0x20
<4>[   12.345683] Call Trace:
<4>[   12.345684]  <TASK>
<4>[   12.345685]  __handle_sysrq.cold+0x48/0xfb
<4>[   12.345686]  write_sysrq_trigger+0x24/0x40
<4>[   12.345687]  </TASK>
`;

const VARIABLES = [{ name: 'dump-type0-1-1-1700000000-C', data: LOG.subarray(0, 900) }];
const wrapped: readonly Target[] = [
  imageTarget('image-efi-files', 'efi', () => [
    dmpstore(VARIABLES),
    efivarExport(VARIABLES[0]!),
    ubootFile(VARIABLES),
    qemuJson(VARIABLES),
    vmwareFile(VARIABLES),
  ]),
  imageTarget('image-wrapped', 'pstore_blk', () => {
    const image = goldenImage('s3').subarray(0, 65_536);
    const disk = gptDisk(400, 512, [{ name: 'pstore', first: 64, count: 128, bytes: image }]);
    return [
      androidSparse(4096, [{ raw: image }, { skip: 4 }]),
      nandDump(image, 2048, 64),
      flattened([[0, image]]),
      disk,
    ];
  }),
];

/** In a container there may be a device that nobody may mount by. */
const canMount = process.getuid!() === 0 && existsSync('/dev/fuse');

export const TARGETS: readonly Target[] = [
  ...CODECS.map(codecTarget),
  ...SPECIMENS.map(({ kind, name, bytes }) =>
    imageTarget(`image-${kind}-${name.replace(' ', '-')}`, kind, () => [bytes()]),
  ),
  ...wrapped,
  fuseTarget(),
  ...textTargets,
  ...COMMAND_TARGETS,
  ...(canMount ? [MOUNT_TARGET] : []),
];

/** The next input: a seed or something that was found on the way, damaged. */
export function nextInput(corpus: readonly Uint8Array[], random: Random): Uint8Array {
  return random.oneIn(200) ? random.bytes(random.below(512)) : mutate(random.pick(corpus), random);
}

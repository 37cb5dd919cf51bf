import { execFileSync } from 'node:child_process';
import { deflateRawSync } from 'node:zlib';
import t from 'tap';
import { deviceTreeNode, deviceTreeRegion } from '../../lib/ramoops/device-tree.js';
import { layOutRam, NO_RAM_ZONES } from '../../lib/ramoops/geometry.js';
import { scan } from '../../lib/ramoops/region.js';
import { commandLine, Told } from '../../lib/ramoops/told.js';
import { MemoryStorage } from '../../lib/storage/memory.js';

const ascii = (text: string) => new TextEncoder().encode(text);

/** A flattened device tree with the node of ramoops in reserved-memory: two cells for addresses, one for sizes. */
function deviceTree(properties: Record<string, Uint8Array>, parent = 'reserved-memory'): Uint8Array {
  const words: number[] = [];
  const names: string[] = [];
  const u32 = (value: number) => words.push(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
  const text = (value: string) =>
    words.push(...ascii(`${value}\0`), ...new Array((4 - ((value.length + 1) % 4)) % 4).fill(0));
  const property = (name: string, value: Uint8Array) => {
    u32(3);
    u32(value.length);
    u32(names.join('').length + names.length);
    names.push(name);
    words.push(...value, ...new Array((4 - (value.length % 4)) % 4).fill(0));
  };
  for (const node of ['', parent]) {
    u32(1);
    text(node);
    property('#address-cells', Uint8Array.of(0, 0, 0, 2));
    property('#size-cells', Uint8Array.of(0, 0, 0, 1));
  }
  u32(1);
  text('ramoops@110000');
  property('compatible', ascii('ramoops\0'));
  for (const [name, value] of Object.entries(properties)) property(name, value);
  for (const token of [2, 2, 2, 9]) u32(token);
  const strings = ascii(names.map((name) => `${name}\0`).join(''));
  const bytes = new Uint8Array(40 + words.length + strings.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0xd00dfeed);
  view.setUint32(8, 40);
  view.setUint32(12, 40 + words.length);
  bytes.set(words, 40);
  bytes.set(strings, 40 + words.length);
  return bytes;
}

const cell = (value: number) => Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
const REG = Uint8Array.of(0, 0, 0, 0, ...cell(0x110000), ...cell(0xe0000));

t.test('no name is longer than a name can be: each would be searched to the end of the file', async (t) => {
  const four = Uint8Array.of(0, 0, 0, 4);
  t.ok(deviceTreeRegion(deviceTree({ ['x'.repeat(255)]: four }), 'a.dtb'));
  t.throws(() => deviceTreeRegion(deviceTree({ ['x'.repeat(256)]: four }), 'a.dtb'), { code: 'EBADMSG' });
});

t.test('a command line', async (t) => {
  const line = 'quiet ramoops.mem_size=0x20000 ramoops.mem_address=0x8000000 ramoops.record_size=16384 ramoops.ecc=1';
  t.same(commandLine(line), {
    address: 0x8000000,
    sizes: { memSize: 0x20000, recordSize: 16384, consoleSize: 4096, ftraceSize: 4096, pmsgSize: 4096, ecc: 16 },
  });
  t.equal(commandLine('quiet splash'), undefined);
  t.match(commandLine('ramoops.mem_name=oops ramoops.console_size=0x8000')?.sizes, { consoleSize: 0x8000 });
});

t.test('what a kernel says in a compressed dump', async (t) => {
  const image = new Uint8Array(0x20000);
  const lines = Array.from({ length: 90 }, (_, i) => `<6>[    0.${100 + i}] the pump ${i * i} turns\n`).join('');
  const said = 'quiet ramoops.mem_size=0x20000 ramoops.record_size=0x2000 ramoops.pmsg_size=0x4000';
  const text = `Oops#1 Part1\n<6>[    0.1] Command line: ${said}\n${lines}`;
  for (const [at, size] of [[0x6000, 0] as const, [0, 1] as const]) {
    const dump = Buffer.concat([ascii('====1600000000.000001-C\n'), deflateRawSync(ascii(text), { windowBits: 11 })]);
    const head = Buffer.alloc(12);
    head.write('DBGC', 0, 'latin1');
    head.writeUInt32LE(size * dump.length, 4);
    head.writeUInt32LE(size * dump.length, 8);
    image.set(head, at);
    if (size > 0) image.set(dump, at + 12);
  }
  const { told } = scan(new MemoryStorage(image, { path: 'region' }));
  t.match(told.regions(), [{ sizes: { memSize: 0x20000, recordSize: 0x2000, pmsgSize: 0x4000 } }]);
});

t.test('what a kernel says in its log', async (t) => {
  const told = new Told();
  told.add(ascii('[    0.1] ramoops: using 0xe0000@0x110000, ecc: 16\n[    0.2] x\n'));
  t.same(told.regions(), [{ address: 0x110000, sizes: { memSize: 0xe0000, ecc: 16 } }]);
});

t.test('a device tree', async (t) => {
  const tree = deviceTree({
    reg: REG,
    'record-size': cell(0x14000),
    'console-size': cell(0x80000),
    'boot-log-size': cell(0x8000),
    'boot-log-count': cell(1),
  });
  t.match(deviceTreeRegion(tree, 'x.dtb'), {
    address: 0x110000,
    sizes: {
      memSize: 0xe0000,
      recordSize: 0x14000,
      consoleSize: 0x80000,
      pmsgSize: 0,
      ecc: 0,
      bootLogSize: 0x8000,
      bootLogCount: 1,
    },
  });
  t.match(
    deviceTreeRegion(deviceTree({ reg: REG, 'record-size': cell(0x20000) }, 'soc'), 'x.dtb').sizes,
    { consoleSize: 0x20000, pmsgSize: 0x20000 },
    'an old Chromebook',
  );
  t.throws(() => deviceTreeRegion(ascii('/dts-v1/;'.padEnd(64)), 'x.dts'), /compile a .dts with dtc first/);
  for (let end = 0; end < tree.length; end += 7) {
    try {
      deviceTreeRegion(tree.subarray(0, end), 'x.dtb');
    } catch (error) {
      t.match((error as Error).message, /x\.dtb/, `cut at ${end}`);
    }
  }
});

t.test('the node for a region', async (t) => {
  const geometry = layOutRam({ ...NO_RAM_ZONES, memSize: 0x20000, recordSize: 0x4000, ecc: 16 }, 'image', 0x2a7000);
  const node = deviceTreeNode(geometry);
  t.match(node, /ramoops@2a7000 \{[^}]*compatible = "ramoops";[^}]*reg = <0x0 0x2a7000 0x0 0x20000>;/);
  t.match(node, /record-size = <0x4000>;\n\tecc-size = <0x10>;/);
  const source = `/dts-v1/;\n/ { #address-cells = <2>; #size-cells = <2>; reserved-memory { #address-cells = <2>; #size-cells = <2>; ${node} }; };`;
  try {
    const compiled = execFileSync('dtc', ['-q', '-O', 'dtb'], { input: source, timeout: 10_000 });
    t.match(deviceTreeRegion(new Uint8Array(compiled), 'x').sizes, { memSize: 0x20000, recordSize: 0x4000, ecc: 16 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    t.comment('dtc is not installed');
  }
});

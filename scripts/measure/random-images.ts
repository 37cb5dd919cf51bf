// Random images of every family, for measurements: what real kernels wrote, and what builders make.

import { CRASH, firmwareVolume, variableStore, vmwareFile } from '../../test/builders/efi.js';
import { cperRecord, erstFile } from '../../test/builders/erst.js';
import { buildFadump } from '../../test/builders/fadump.js';
import { flattened } from '../../test/builders/flattened.js';
import { logText, MtdDevice } from '../../test/builders/mtdoops.js';
import { MAKERS } from '../../test/builders/ramoops-dialects.js';
import { deviceDump, kdump, kernelCore, MACHINES } from '../../test/builders/vmcore.js';
import { FORMATS, type Format, MACHINE_NAMES, partition } from '../../test/builders/zone.js';
import { goldenImage } from '../../test/fixture-path.js';

export interface RandomImage {
  /** The backend. */
  readonly kind: string;
  readonly name: string;
  readonly bytes: Uint8Array;
}

type Roll = (most: number) => number;

const pick = <T>(roll: Roll, list: readonly T[]): T => list[roll(list.length)]!;

/** Folders of real kernels' images. */
const GOLDEN: Readonly<Record<string, readonly string[]>> = {
  pstore_blk: ['s1', 's2', 's3', 's5', 's7', 'be-s2', 'a64-s3', 's6-lz4', 's16-smp4', 'i386-s3'],
  blkoops: ['v1', 'v2', 'v3', 'arm-v2'],
  ramoops: ['r1', 'r2', 'r3', 'r1-ftrace', 'a64-r-dt-ecc', 'n-r2'],
  mtdoops: ['mtdoops-1'],
  efi: ['efi-61', 'efi-oops3', 'efi-rm', 'efi-multi'],
  erst: ['erst-oops3', 'erst-rm', 'erst-mce'],
};

function ofKernel(roll: Roll): RandomImage {
  const kind = pick(roll, Object.keys(GOLDEN));
  const name = pick(roll, GOLDEN[kind]!);
  return { kind, name, bytes: goldenImage(name) };
}

function zones(roll: Roll): RandomImage {
  const format: Format = pick(roll, FORMATS);
  const abi = pick(roll, MACHINE_NAMES);
  const size = 4096 << roll(5);
  const count = 2 + roll(14);
  const front = format === 'pstore_blk' && roll(2) === 1;
  const extra = front ? 8192 : 0;
  const image = partition(size * count + extra, { format, abi, fill: pick(roll, [0xff, 0]) });
  if (front) image.console(8192, [logText(roll(12_000), roll(1000))]);
  image.kmsg(size);
  // A kernel fills its zones from the first on.
  const written = 1 + roll(count);
  for (let i = 0; i < written; i++) {
    image.dmesg(i, {
      body: logText(200 + roll(size - 400), roll(1e6)),
      counter: i + 1,
      seconds: 1_700_000_000 + i,
      reason: format === 'blkoops' ? 2 : 1 + roll(2),
      erased: i > 0 && roll(8) === 0,
    });
  }
  return { kind: format, name: `${format} ${abi} ${count}x${size}`, bytes: image.bytes };
}

function regions(roll: Roll): RandomImage {
  const made = pick(roll, Object.values(MAKERS))(roll);
  return { kind: 'ramoops', name: `ramoops ${made.dialect}`, bytes: made.image.subarray(made.base) };
}

function flash(roll: Roll): RandomImage {
  const recordSize = 4096 << roll(4);
  const endian = pick(roll, ['little', 'big'] as const);
  const device = new MtdDevice({ size: 1 << 20, recordSize, eraseSize: 65536, endian });
  const pages = 1 + roll(Math.min(30, (1 << 20) / recordSize - 17));
  const newer = roll(2) === 1;
  for (let i = 0; i < pages; i++) {
    const time = newer ? 1_700_000_000_000_000_000n + BigInt(i) : null;
    device.oops(logText(300 + roll(recordSize - 400), roll(1e6)), time);
  }
  return { kind: 'mtdoops', name: `mtdoops ${endian} ${recordSize}`, bytes: device.bytes };
}

function variables(roll: Roll): RandomImage {
  const all = Array.from({ length: 1 + roll(8) }, (_, i) => ({
    name: `dump-type0-${i + 1}-1-${1_646_370_414 + roll(1000)}-D`,
    guid: CRASH,
    data: `Oops#1 Part${i + 1}\n${logText(600, roll(1e6))}`,
  }));
  const isVmware = roll(4) === 0;
  const bytes = isVmware ? vmwareFile(all) : firmwareVolume(variableStore(all, { size: 0xe000 }), 0x40000);
  return { kind: 'efi', name: isVmware ? 'VMware' : 'volume', bytes };
}

function errors(roll: Roll): RandomImage {
  const records = Array.from({ length: 1 + roll(5) }, (_, i) => ({
    id: 7_048_020_725_482_913_794n + BigInt(i),
    data: `Oops#1 Part1\n${logText(500 + roll(2000), roll(1e6))}`,
  }));
  if (roll(4) === 0) return { kind: 'erst', name: 'a CPER record', bytes: cperRecord(records[0]!) };
  const slots = records.map((record) => ({ record, erased: roll(5) === 0 }));
  return { kind: 'erst', name: 'QEMU', bytes: erstFile(slots, pick(roll, [4096, 8192, 16384]), 8 + roll(40)) };
}

function cores(roll: Roll): RandomImage {
  const machine = pick(roll, MACHINES);
  const notes = deviceDump(machine, 'adapter', new TextEncoder().encode(logText(100 + roll(5000), roll(1e6))));
  const how = roll(4);
  if (how === 0) return { kind: 'vmcoredd', name: 'kdump', bytes: kdump('little', 'lp64', notes) };
  const core = kernelCore(machine, notes, { loads: [{ data: new Uint8Array(roll(20_000)).fill(roll(256)) }] });
  if (how > 1) return { kind: 'vmcoredd', name: 'ELF', bytes: core };
  return { kind: 'vmcoredd', name: 'flattened', bytes: flattened([[0, core]]) };
}

function crashInfo(roll: Roll): RandomImage {
  const endian = pick(roll, ['little', 'big'] as const);
  const layout = pick(roll, ['new', 'old'] as const);
  return { kind: 'fadump', name: `fadump ${endian} ${layout}`, bytes: buildFadump({ endian, layout, cpu: roll(16) }) };
}

const FAMILIES = [ofKernel, zones, zones, regions, regions, flash, variables, errors, cores, crashInfo];

export function randomImage(roll: Roll): RandomImage {
  return pick(roll, FAMILIES)(roll);
}

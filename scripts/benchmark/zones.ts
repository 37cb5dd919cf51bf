// The rows about zones: recovery against raw reads of the same headers, rm against raw writes, compressed records
// against inflating them, and memory.

import { spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  cpSync,
  fdatasyncSync,
  openSync,
  readSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { openSources, TextCache } from '../../lib/source/sources.js';
import { type Contender, environment, pathList, processesOf, run } from './contenders.js';
import { statusOf } from './files.js';
import { compressedImage, type FileSet, fileSet, type Generation, headerSize, logText, writeImage } from './images.js';
import { interleaved, type Row, time } from './table.js';

export interface ZonesPlan {
  readonly rounds: number;
  readonly work: string;
  readonly isQuick: boolean;
}

// ── recovery ──

interface ZoneImage {
  readonly path: string;
  readonly generation: Generation;
  readonly zoneSize: number;
  readonly zones: number;
}

function zoneImage(work: string, generation: Generation, zoneSize: number, zones: number): ZoneImage {
  const path = join(work, `zones-${generation}-${zoneSize}-${zones}.raw`);
  const text = logText(64, 1);
  writeImage(path, { generation, zoneSize, records: zones, text: () => text });
  return { path, generation, zoneSize, zones };
}

/** A loop of preads of both headers of every zone, in this same runtime: dd would need a process for each. */
function rawHeaders({ path, generation, zoneSize, zones }: ZoneImage): void {
  const target = Buffer.alloc(headerSize(generation));
  const fd = openSync(path, 'r');
  for (let index = 0; index < zones; index++) readSync(fd, target, 0, target.length, index * zoneSize);
  closeSync(fd);
}

function recover(source: string): void {
  const options = { sharedKeys: [], mode: 'read', cache: new TextCache(1 << 20), strict: false } as const;
  const { opened, failed } = openSources([source], options);
  if (failed.length > 0) throw failed[0]!.error;
  for (const { backend } of opened) backend.close();
}

function recoveryRow(id: string, image: ZoneImage, rounds: number, target: number | undefined): Row {
  const noCap = image.generation === 'pstore_blk' ? ',no_cap' : '';
  const named = `${image.generation}:${image.path}`;
  const values = interleaved(rounds, {
    'raw header reads': () => time(() => rawHeaders(image)),
    recovery: () => time(() => recover(`${image.path}${noCap}`)),
    'recovery, sizes given': () => time(() => recover(`${named},kmsg_size=${image.zoneSize}${noCap}`)),
    'dd of the first 128 MiB': () => time(() => run('dd', [`if=${image.path}`, 'of=/dev/null', 'bs=1M', 'count=128'])),
  });
  const size = image.zoneSize * image.zones;
  const shown = size >= 2 ** 30 ? `${(size / 2 ** 30).toFixed(0)} GiB sparse` : `${size >> 20} MiB`;
  return {
    id,
    title: `recovery of ${image.zones} zones of ${image.zoneSize / 1024} KiB (${shown}, ${image.generation})`,
    values,
    base: 'raw header reads',
    unit: 'ms',
    targets: target === undefined ? {} : { recovery: target, 'recovery, sizes given': target },
  };
}

export function recoveryRows({ rounds, work, isQuick }: ZonesPlan): Row[] {
  const share = isQuick ? 8 : 1;
  return [
    recoveryRow('recover-small', zoneImage(work, 'pstore_blk', 4096, 32768 / share), rounds, undefined),
    recoveryRow('recover', zoneImage(work, 'blkoops', 65536, 262144 / share), rounds, 3),
    recoveryRow('recover-no-cap', zoneImage(work, 'pstore_blk', 65536, 65536 / share), rounds, undefined),
  ];
}

/** How recovery grows: milliseconds by zones, at one zone size; and by zone size, at one number of zones. */
export function recoveryGrowth({ rounds, work, isQuick }: ZonesPlan): {
  zones: [number, number, number][];
  recordSize: [number, number][];
} {
  const most = isQuick ? 32768 : 262144;
  const zones: [number, number, number][] = [];
  for (let count = 1024; count <= most; count *= 4) {
    const image = zoneImage(work, 'blkoops', 65536, count);
    const row = recoveryRow('growth', image, rounds, undefined);
    zones.push([count, row.values['raw header reads']!, row.values.recovery!]);
  }
  const recordSize: [number, number][] = [];
  for (let size = 4096; size <= 1 << 20; size *= 4) {
    const image = zoneImage(work, 'blkoops', size, 4096);
    recordSize.push([size, recoveryRow('growth', image, rounds, undefined).values.recovery!]);
  }
  return { zones, recordSize };
}

// ── erasing ──

/** @param erased how many records are removed, the same number as raw writes */
export function eraseRow(all: readonly Contender[], { rounds, work, isQuick }: ZonesPlan): Row {
  const records = isQuick ? 200 : 2000;
  const set = fileSet(work, `erase-${records}`, records, 4 << 10);
  const image = join(work, 'erased.raw');
  const copied: FileSet = { ...set, image };
  const at = join(work, 'mnt');
  const list = join(work, 'paths');
  const zoneSize = statSync(set.image).size / records;
  const raw = () => {
    copyFileSync(set.image, image);
    const fd = openSync(image, 'r+');
    fdatasyncSync(fd);
    const header = Buffer.alloc(12);
    const ms = time(() => {
      for (let index = 0; index < records; index++) {
        writeSync(fd, header, 0, header.length, index * zoneSize);
        fdatasyncSync(fd);
      }
    });
    closeSync(fd);
    return ms;
  };
  const removeAll = (contender: Contender, from: FileSet) => {
    contender.mount(from, at);
    writeFileSync(list, pathList(set, at));
    const ms = time(() => run('xargs', ['-0', '-a', list, 'rm', '-f']));
    contender.unmount(at);
    return ms;
  };
  const erase = (contender: Contender) => () => {
    copyFileSync(set.image, image);
    const fd = openSync(image, 'r+');
    fdatasyncSync(fd);
    closeSync(fd);
    return removeAll(contender, copied);
  };
  /** What FUSE itself takes for a removal, in C and with nothing written to a medium. */
  const bindfs = () => {
    const folder = join(work, 'removed');
    cpSync(set.folder, folder, { recursive: true });
    return removeAll(all.find(({ name }) => name === 'bindfs')!, { ...set, folder });
  };
  const own = all.filter(({ name }) => name === 'dev-fuse' || name === 'fuse-native');
  return {
    id: 'rm',
    title: `rm of all (${records} records), against as many 12-byte pwrite + fdatasync`,
    values: interleaved(rounds, {
      'pwrite + fdatasync': raw,
      ...Object.fromEntries(own.map((contender) => [contender.name, erase(contender)])),
      'bindfs, nothing synced': bindfs,
    }),
    base: 'pwrite + fdatasync',
    unit: 'ms',
    targets: { 'dev-fuse': 1.3, 'fuse-native': 2 },
  };
}

// ── compressed records ──

export function compressedRow(all: readonly Contender[], { rounds, work, isQuick }: ZonesPlan): Row {
  const records = isQuick ? 500 : 4000;
  const { image, streams } = compressedImage(work, records, 60 << 10);
  const set: FileSet = { image, folder: '', squashfs: '', names: [], bytes: 0 };
  const at = join(work, 'mnt');
  const own = all.filter(({ name }) => name === 'dev-fuse' || name === 'fuse-native');
  const list = (contender: Contender) => () => {
    contender.mount(set, at);
    const ms = time(() => run('ls', ['-l', at]));
    contender.unmount(at);
    return ms;
  };
  const inflate = () =>
    time(() => {
      for (let i = 0; i < records; i++) inflateRawSync(streams[i % streams.length]!);
    });
  return {
    id: 'compressed',
    title: `ls -l of ${records} compressed records, cold, against inflating them in one process`,
    values: interleaved(rounds, {
      'inflating them': inflate,
      ...Object.fromEntries(own.map((contender) => [contender.name, list(contender)])),
    }),
    base: 'inflating them',
    unit: 'ms',
    targets: {},
  };
}

// ── memory ──

/** Resident bytes of the server, and of all our processes. */
function residentOf(
  contender: Contender,
  image: string,
  at: string,
  command: string[],
): { server: number; all: number } {
  const set: FileSet = { image, folder: '', squashfs: '', names: [], bytes: 0 };
  contender.mount(set, at);
  try {
    if (command.length > 0) run(command[0]!, command.slice(1));
    // The parent and mount(8) are to be gone.
    spawnSync('sleep', ['0.5']);
    const pids = processesOf(at);
    const sizes = pids.map((pid) => statusOf(pid, 'VmRSS'));
    return { server: Math.max(...sizes), all: sizes.reduce((sum, size) => sum + size, 0) };
  } finally {
    contender.unmount(at);
  }
}

export function memoryRows(all: readonly Contender[], { work, isQuick, rounds }: ZonesPlan): Row[] {
  const at = join(work, 'mnt');
  const zones = isQuick ? 32768 : 262144;
  const many = zoneImage(work, 'blkoops', 65536, zones).path;
  const empty = zoneImage(work, 'blkoops', 65536, 1).path;
  const contender = all.find(({ name }) => name === 'dev-fuse')!;
  const MB = 1e6;
  let ourProcesses = 0;
  const values = interleaved(Math.min(rounds, 3), {
    'one zone, mounted': () => residentOf(contender, empty, at, []).server / MB,
    'one zone, listed': () => residentOf(contender, empty, at, ['ls', '-l', at]).server / MB,
    'all zones, mounted': () => {
      const { server, all: sum } = residentOf(contender, many, at, []);
      ourProcesses = sum / MB;
      return server / MB;
    },
    'all zones, listed': () => residentOf(contender, many, at, ['ls', '-l', at]).server / MB,
  });
  const perZone = (state: string) => ((values[`all zones, ${state}`]! - values[`one zone, ${state}`]!) * MB) / zones;
  const bare = bareNode();
  return [
    {
      id: 'memory',
      title: `resident memory of the server, ${zones} zones`,
      values: { 'node, nothing loaded': bare / MB, ...values, 'all our processes': ourProcesses },
      base: 'one zone, mounted',
      unit: 'MB',
      targets: {},
    },
    {
      id: 'memory-zone',
      title: 'resident memory for each zone, over a mount of one zone with the same modules',
      values: { mounted: perZone('mounted'), listed: perZone('listed') },
      base: 'mounted',
      unit: 'bytes a zone',
      targets: { mounted: 200, listed: 200 },
    },
  ];
}

function bareNode(): number {
  const { stdout } = spawnSync(process.execPath, ['-p', 'process.memoryUsage().rss'], {
    encoding: 'utf8',
    env: environment(),
  });
  return Number(stdout);
}

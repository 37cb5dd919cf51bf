// The benchmark: pstorefuse against its peers, in the same run, on images that it makes itself. scripts/bench runs it.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandRows, pipeRow, zerosRow } from './benchmark/commands.js';
import { contenders } from './benchmark/contenders.js';
import { fileRows, firstListing } from './benchmark/files.js';
import { fileSet, largeSet } from './benchmark/images.js';
import { Operations } from './benchmark/operations.js';
import { recoveryPlots } from './benchmark/plots.js';
import { type Row, rowText } from './benchmark/table.js';
import {
  compressedRow,
  eraseRow,
  memoryRows,
  recoveryGrowth,
  recoveryRows,
  type ZonesPlan,
} from './benchmark/zones.js';
import { scriptOptions } from './options.js';

const FILE_ROWS = ['ls', 'stat', 'stat-warm', 'cat', 'cat-warm', 'readers', 'large', 'op'];
const ROWS = [...FILE_ROWS, 'first-ls', 'commands', 'zeros', 'pipe', 'rm', 'recover', 'compressed', 'memory'];

const { values: options } = scriptOptions('bench', {
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    only: { type: 'string', multiple: true },
    rounds: { type: 'string' },
    plots: { type: 'string' },
    // More programs that are Node, for the rows of commands.
    node: { type: 'string', multiple: true },
  },
});

const unknown = options.only?.find((row) => !ROWS.includes(row));
if (unknown !== undefined) {
  process.stderr.write(`bench: there is no row ${unknown}; there are ${ROWS.join(', ')}\n`);
  process.exit(64);
}

const wanted = new Set(options.only ?? ROWS);
const isQuick = options.quick;
const rounds = Number(options.rounds ?? (isQuick ? 3 : 7));
const work = mkdtempSync(join(tmpdir(), 'pstorefuse-bench-'));
const command = fileURLToPath(new URL('../bin/pstorefuse.js', import.meta.url));

async function measure(operations: Operations | undefined): Promise<Row[]> {
  mkdirSync(join(work, 'mnt'));
  const all = contenders(command);
  const plan: ZonesPlan = { rounds, work, isQuick };
  const rows: Row[] = [];
  const add = (...more: Row[]) => {
    rows.push(...more);
    for (const row of more) process.stdout.write(`${rowText(row)}\n`);
  };
  if (FILE_ROWS.some((row) => wanted.has(row))) {
    const set = fileSet(work, 'files', isQuick ? 2000 : 10_000, 60 << 10);
    const large = largeSet(work, (isQuick ? 64 : 512) << 20);
    add(...(await fileRows(all, { set, large, rounds, work, wanted, operations })));
  }
  const few = fileSet(work, 'few', 16, 60 << 10);
  if (wanted.has('first-ls')) add(firstListing(all, few, rounds, work));
  if (wanted.has('commands')) add(...commandRows(command, few, [process.execPath, ...(options.node ?? [])], rounds));
  if (wanted.has('zeros')) add(zerosRow(command, few, rounds, work));
  if (wanted.has('pipe')) add(pipeRow(command, largeSet(work, (isQuick ? 64 : 512) << 20), rounds));
  if (wanted.has('rm')) add(eraseRow(all, plan));
  if (wanted.has('recover')) add(...recoveryRows(plan));
  if (wanted.has('compressed')) add(compressedRow(all, plan));
  if (wanted.has('memory')) add(...memoryRows(all, plan));
  if (options.plots !== undefined) {
    for (const [name, svg] of Object.entries(recoveryPlots(recoveryGrowth({ ...plan, rounds: 3 })))) {
      writeFileSync(join(options.plots, name), svg);
    }
  }
  return rows;
}

try {
  const machine = { node: process.version, linux: release(), cpu: cpus()[0]?.model, cpus: cpus().length };
  const before = loadavg()[0];
  process.stdout.write(`${machine.cpu} × ${machine.cpus}, Linux ${machine.linux}, Node ${machine.node}, `);
  process.stdout.write(`load ${before?.toFixed(1)}; medians of ${rounds} interleaved rounds\n`);
  const operations = Operations.make(work);
  const waking = operations?.wake();
  process.stdout.write(
    waking === undefined
      ? 'no C compiler (cc): the row op is left out\n\n'
      : `a byte to another process and back takes ${waking} µs\n\n`,
  );
  const rows = await measure(operations);
  const load = { before, after: loadavg()[0] };
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify({ machine, load, waking, rounds, rows }, null, 2)}\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}

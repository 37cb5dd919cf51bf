// The rows of commands without a mount: what they cost against the start of Node, and against reading the same bytes.

import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { environment, run } from './contenders.js';
import type { FileSet } from './images.js';
import { interleaved, type Row, time } from './table.js';

/** Processor time of a program and its children, in milliseconds: bash has it to the millisecond. */
function processorMs(program: string, args: readonly string[]): number {
  const script = 'TIMEFORMAT="%U %S"; time "$@" >/dev/null 2>/dev/null';
  const { status, stderr } = spawnSync('bash', ['-c', script, 'bash', program, ...args], {
    encoding: 'utf8',
    env: { ...environment(), LC_ALL: 'C' },
  });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed`);
  const [user, system] = stderr.trim().split(' ').map(Number);
  return (user! + system!) * 1000;
}

/** Starts of one command take a tenth of a second: so many more rounds cost little. */
const MORE_ROUNDS = 3;

/** `ls`, `info` and `cat` of a small image against the start of Node, for each Node. */
export function commandRows(command: string, set: FileSet, nodes: readonly string[], rounds: number): Row[] {
  const lines = { ls: ['ls', set.image], info: ['info', set.image], cat: ['cat', set.image, set.names[0]!] };
  return nodes.map((node) => {
    const version = run(node, ['--version']).trim();
    // The bytecode of the first start serves the others.
    for (const args of Object.values(lines)) processorMs(node, [command, ...args]);
    return {
      id: 'commands',
      title: `processor time of a command on ${set.names.length} records, Node ${version}`,
      values: interleaved(rounds * MORE_ROUNDS, {
        'node -e 0': () => processorMs(node, ['-e', '0']),
        ...Object.fromEntries(
          Object.entries(lines).map(([name, args]) => [name, () => processorMs(node, [command, ...args])]),
        ),
      }),
      base: 'node -e 0',
      unit: 'ms',
      targets: { ls: 1.35, info: 1.35, cat: 1.35 },
    };
  });
}

const GIB = 1 << 30;

/** `ls` of 1 GiB of zeros that are on the disk, behind an image, against reading them. */
export function zerosRow(command: string, set: FileSet, rounds: number, work: string): Row {
  const file = join(work, 'zeros.raw');
  run('cp', ['--sparse=never', set.image, file]);
  const fd = openSync(file, 'r+');
  const zeros = new Uint8Array(1 << 24);
  const { size } = fstatSync(fd);
  for (let at = size; at < GIB; at += zeros.length) writeSync(fd, zeros, 0, Math.min(zeros.length, GIB - at), at);
  closeSync(fd);
  run('dd', [`if=${file}`, 'of=/dev/null', 'bs=1M']);
  const values = interleaved(rounds, {
    'dd of it': () => processorMs('dd', [`if=${file}`, 'of=/dev/null', 'bs=1M']),
    ls: () => processorMs(process.execPath, [command, 'ls', `blkoops:${file}`]),
    'ls, backend not named': () => processorMs(process.execPath, [command, 'ls', file]),
  });
  return {
    id: 'zeros',
    title: 'processor time of ls of 1 GiB, zeros but for its beginning',
    values,
    base: 'dd of it',
    unit: 'ms',
    targets: {},
  };
}

/** One large record into a pipe, against dd. */
export function pipeRow(command: string, large: FileSet, rounds: number): Row {
  const piped = (line: string) => run('bash', ['-c', `set -o pipefail; ${line} | wc -c`]);
  const plain = join(large.folder, large.names[0]!);
  return {
    id: 'pipe',
    title: `cat of one record of ${Math.round(large.bytes / 2 ** 20)} MiB into wc -c`,
    values: interleaved(rounds, {
      'dd | wc -c': () => time(() => piped(`dd bs=128K status=none if='${plain}'`)),
      'cat | wc -c': () =>
        time(() => piped(`'${process.execPath}' '${command}' cat '${large.image}' '${large.names[0]}'`)),
    }),
    base: 'dd | wc -c',
    unit: 'ms',
    targets: {},
  };
}

// What is fuzzed of the commands: their lines, what they print of a damaged image, and the files that they keep.

import fs, { rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { parseIndexLine } from '../../lib/cli/archive-index.js';
import { mountOptionsOf } from '../../lib/cli/command.js';
import { commandsFor, runCommand } from '../../lib/cli/commands.js';
import { Lines } from '../../lib/cli/lines.js';
import { COMMAND_NAMES } from '../../lib/cli/main.js';
import { parseWhen } from '../../lib/cli/when.js';
import { open } from '../../lib/core.js';
import { PstoreError } from '../../lib/errors.js';
import { parseSource } from '../../lib/source/grammar.js';
import { openImage } from '../../lib/storage/file.js';
import { OverlayStorage } from '../../lib/storage/overlay.js';
import { OverlayFile, overlaid } from '../../lib/storage/overlay-file.js';
import { readRange } from '../../lib/storage/storage.js';
import { SPECIMENS } from '../builders/specimens.js';
import { goldenImage, ROOT } from '../fixture-path.js';
import { CONTROLS, must, orCode, scratchFile } from './sane.js';
import type { Target } from './targets.js';

const PACKAGE = join(ROOT, 'package.json');
const [STDOUT, STDERR] = [1, 2];
/** sysexits.h: a bug of ours. */
const SOFTWARE = 70;

interface Run {
  readonly status: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

/** Runs a command in this process, and takes what it writes to the standard descriptors. */
async function captured(run: () => Promise<number>): Promise<Run> {
  const { writeSync } = fs;
  const written: Record<number, Buffer[]> = { [STDOUT]: [], [STDERR]: [] };
  fs.writeSync = ((fd: number, bytes: Uint8Array, ...place: number[]) => {
    if (!written[fd]) return writeSync(fd, bytes, ...place);
    const from = place[0] ?? 0;
    written[fd].push(Buffer.from(bytes.subarray(from)));
    return bytes.length - from;
  }) as typeof writeSync;
  syncBuiltinESMExports();
  try {
    const status = await run();
    return { status, stdout: Buffer.concat(written[STDOUT]!), stderr: Buffer.concat(written[STDERR]!).toString() };
  } finally {
    fs.writeSync = writeSync;
    syncBuiltinESMExports();
  }
}

/** One sentence a line, each with our name, and nothing that a terminal obeys. */
function checkComplaints({ status, stderr }: Run): void {
  must(status !== SOFTWARE, stderr);
  for (const line of stderr.split('\n').slice(0, -1)) {
    must(line.startsWith('pstorefuse: ') && !CONTROLS.test(line), `standard error has ${JSON.stringify(line)}`);
  }
}

const SEPARATOR = '\n';
const LINES = [
  ['ls', '-o', 'kmsg_size=64K,ecc=16', '--since', '-2h', '--json', 'part.raw,pmsg_size=0'],
  ['cat', '--all', '--backend', 'ramoops,efi', 'mem.raw'],
  ['record', 'a.raw', '--reason', 'oops', '--time', '@1700000000.5'],
  ['format', 'new.raw', '--size', '1M', '--kmsg-size=64K'],
  ['export', '--ndjson', '-oro', '--', '-x.raw'],
  ['overlay', 'commit', 'work.ovl', 'log.raw'],
  ['mount', '-o', 'layout=flat,uid=0,umask=077', '--transport', 'dev-fuse', 'a', '/mnt', '-f'],
  ['watch', '--exec', 'true', '-S', 'yesterday', '-g', 'x', 'a.raw'],
  ...COMMAND_NAMES.map((name) => [name, '--help']),
];

/** Each command is parsed, and nothing is done. */
async function parseLine(argv: readonly string[]): Promise<number> {
  const commands = (await commandsFor(argv[0])).map((command) => ({
    ...command,
    run: (args: Parameters<typeof command.run>[0]) => {
      mountOptionsOf(args);
      for (const source of [...args.list('source'), ...args.list('sources')]) parseSource(source, () => false);
      for (const when of ['since', 'until']) for (const text of args.list(when)) parseWhen(text, when);
      return 0;
    },
  }));
  return await runCommand(argv, commands, PACKAGE);
}

const commandLine: Target = {
  name: 'command-line',
  seeds: () => LINES.map((words) => new TextEncoder().encode(words.join(SEPARATOR))),
  run: async (input) => {
    // A system hands over no argument with a NUL in it.
    const argv = Buffer.from(input).toString('utf8').replaceAll('\0', '').split(SEPARATOR);
    const run = await captured(() => parseLine(argv));
    checkComplaints(run);
    const said = run.stdout.length > 0 || run.stderr !== '';
    must(run.status === 0 || said, `the exit status is ${run.status}, and nothing is said`);
  },
};

/** What commands print of an image is what the library gives of it. */
const commandOutput: Target = {
  name: 'command-output',
  seeds: () => SPECIMENS.map(({ bytes }) => bytes()).filter(({ length }) => length <= 64 << 10),
  run: async (input) => {
    const image = scratchFile('image.raw');
    writeFileSync(image, input);
    const command = async (...argv: string[]) => {
      const run = await captured(async () => runCommand(argv, await commandsFor(argv[0]), PACKAGE));
      checkComplaints(run);
      return run;
    };
    const store = orCode(() => open(input, { name: image }));
    const listed = await command('ls', image);
    const names = listed.stdout.toString().split('\n').filter(Boolean);
    must(
      (listed.status === 0) === (typeof store !== 'string'),
      `ls ends with ${listed.status}, the library with ${store}`,
    );
    if (typeof store === 'string') return;
    must(names.join() === [...store].map(({ name }) => name).join(), `ls lists ${names}, the library others`);
    for (const record of store) {
      const read = orCode(() => store.read(record));
      const { status, stdout } = await command('cat', image, record.name);
      if (typeof read === 'string') must(status !== 0, `cat gives ${record.name}, the library ${read}`);
      else must(Buffer.compare(stdout, read) === 0, `cat gives other bytes of ${record.name} than the library`);
    }
    store.close();
    for (const argv of [
      ['info', '--json', image],
      ['explain', '--json', image],
    ]) {
      const { stdout } = await command(...argv);
      if (stdout.length > 0) JSON.parse(stdout.toString());
      must(!CONTROLS.test(stdout.toString().replaceAll('\n', '')), `${argv[0]} prints control characters`);
    }
  },
};

const INDEX_LINE = JSON.stringify({
  path: 'machine/2021-12-31/235957-dmesg-pstore_blk-0-abcdef01',
  size: 17_934,
  sha256: 'ab'.repeat(32),
  label: 'pstore_blk',
  parts: [
    { name: 'dmesg-pstore_blk-0', part: 1, mtimeNs: '1640995197000000000', size: 17_934, sha256: 'cd'.repeat(32) },
  ],
});

const archiveIndex: Target = {
  name: 'archive-index',
  seeds: () => [new TextEncoder().encode(`${INDEX_LINE}\n${INDEX_LINE}\n{"path":`)],
  run: (input, random) => {
    const read = (length: number) => {
      const lines = new Lines();
      const texts: string[] = [];
      for (let at = 0; at < input.length; at += length) texts.push(...lines.take(input.subarray(at, at + length)));
      return { texts, unfinished: lines.unfinished };
    };
    const [one, other] = [read(1 + random.below(64)), read(1 << 16)];
    must(JSON.stringify(one) === JSON.stringify(other), 'the lines depend on how they are read');
    must(one.unfinished === input.length - 1 - input.lastIndexOf(0x0a), `${one.unfinished} bytes are left`);
    for (const line of one.texts.map(parseIndexLine)) {
      must(line === undefined || !/^\/|(^|\/)\.\.(\/|$)|\0/.test(line.path), `it leads out: ${line?.path}`);
    }
  },
};

/** An overlay of a stranger over an image of ours. */
const overlayFile: Target = {
  name: 'overlay-file',
  seeds: () => {
    const [image, overlay] = [scratchFile('base.raw'), scratchFile('seed.ovl')];
    writeFileSync(image, goldenImage('s1').subarray(0, 40_000));
    rmSync(overlay, { force: true });
    const storage = overlaid(openImage(image, { mode: 'read' }), overlay, 'must');
    storage.write(new Uint8Array(6000), 3000);
    storage.close();
    return [new Uint8Array(fs.readFileSync(overlay))];
  },
  run: (input) => {
    const [image, overlay] = [scratchFile('base.raw'), scratchFile('work.ovl')];
    writeFileSync(overlay, input);
    const below = openImage(image, { mode: 'read' });
    try {
      orCode(() => {
        const file = OverlayFile.open(overlay, 'read');
        try {
          must(
            !CONTROLS.test(file.header.path),
            `its path has control characters: ${JSON.stringify(file.header.path)}`,
          );
          const blocks = [...file.numbers()];
          must(
            blocks.every((block) => file.has(block)),
            'blocks are listed that are not there',
          );
          file.checkToCommit(below);
          const whole = readRange(new OverlayStorage(below, file), 0, below.size);
          must(whole.length === below.size, `${whole.length} bytes instead of ${below.size}`);
        } finally {
          file.close();
        }
      });
    } finally {
      below.close();
    }
  },
};

const whenTarget: Target = {
  name: 'when',
  seeds: () =>
    ['yesterday', '-2h 30min', '3 days ago', '2026-11-01 12:00:00.5 UTC', '@1700000000.25'].map((text) =>
      new TextEncoder().encode(text),
    ),
  run: (input) => {
    try {
      must(typeof parseWhen(Buffer.from(input).toString('utf8'), 'since') === 'bigint', 'a time is a number');
    } catch (error) {
      must(error instanceof PstoreError, String(error));
    }
  },
};

export const COMMAND_TARGETS: readonly Target[] = [commandLine, commandOutput, archiveIndex, overlayFile, whenTarget];

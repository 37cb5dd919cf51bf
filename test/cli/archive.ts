// archive: nothing is lost, doubled or half written, wherever it is killed; and nothing is ever written over.

import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { buildFadump } from '../builders/fadump.js';
import { secondTextImage } from '../builders/mtdoops.js';
import { goldenImage } from '../fixture-path.js';
import { imageFile, pstorefuse, run, SCRIPT, scratchFolder } from '../mounted.js';
import { surviveKills, surviveLateKills } from '../trials/killed-archive.js';
import { Random } from '../trials/random.js';

/** Dumps in parts, records of a partition, and records with names of 64 bits. */
const GOLDEN = ['efi-oops3', 's3', 'erst-oops3'];
/** scripts/kill-archive does so a thousand times. */
const KILLS = 8;

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

interface IndexLine {
  readonly path: string;
  readonly sha256: string;
  readonly size: number;
  readonly title?: string | null;
  readonly parts: readonly { readonly name: string; readonly sha256: string }[];
}

function indexOf(folder: string): IndexLine[] {
  const text = readFileSync(join(folder, 'index.ndjson'), 'utf8');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

function filesOf(folder: string): string[] {
  const all = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return all.filter((name) => statSync(join(folder, name)).isFile()).sort();
}

t.test('where the list of files cannot be printed, all are archived, and it is said once', (t) => {
  const folder = scratchFolder(t);
  const image = imageFile(folder, 's3');
  const archive = join(folder, 'archive');
  const ended = run('sh', ['-c', `exec '${SCRIPT}' archive '${image}' '${archive}' > /dev/full`]);
  t.match(ended, { status: 1, stderr: /^pstorefuse: the output cannot be written: [^\n]*\n$/ });
  t.equal(indexOf(archive).length, 6);
  t.end();
});

/** Name and hash of each record of an image. */
function recordsOf(image: string): string[] {
  const names = pstorefuse('ls', image).stdout.split('\n').filter(Boolean);
  return names.map((name) => {
    const { stdout } = pstorefuse('cat', image, name);
    return `${name} ${sha256(Buffer.from(stdout, 'latin1'))}`;
  });
}

t.test('each dump is a file, and the index tells of it', (t) => {
  const folder = scratchFolder(t);
  const images = GOLDEN.map((golden) => imageFile(folder, golden));
  const archive = join(folder, 'new', 'archive');
  const dry = pstorefuse('archive', '--dry-run', '--erase', ...images, archive);
  t.notOk(existsSync(archive), 'nothing is written');
  const made = pstorefuse('archive', ...images, archive);
  t.match(made, { status: 0, stdout: dry.stdout });
  const index = indexOf(archive);
  t.same(
    made.stdout.split('\n').filter(Boolean),
    index.map(({ path }) => join(archive, path)),
  );
  t.same(filesOf(archive), [...index.map(({ path }) => path), 'index.ndjson'].sort());
  for (const { path, sha256: hash, size } of index) {
    const bytes = readFileSync(join(archive, path));
    t.same([bytes.length, sha256(bytes)], [size, hash], path);
    t.ok(path.endsWith(hash.slice(0, 8)));
  }
  const oops = index.find(({ parts }) => parts.some(({ name }) => name === 'dmesg-pstore_blk-1'))!;
  t.match(oops, {
    path: /^pstore_blk\/2021-12-31\/235959-dmesg-pstore_blk-1-/,
    title: /lkdtm_EXCEPTION$/,
    source: images[1],
  });
  t.ok(readFileSync(images[1]!).equals(goldenImage('s3')), 'nothing is erased without --erase');
  const before = filesOf(archive).map((file) => readFileSync(join(archive, file), 'latin1'));
  t.match(pstorefuse('archive', '--erase', ...images, archive), { status: 0, stdout: '' });
  t.same(
    filesOf(archive).map((file) => readFileSync(join(archive, file), 'latin1')),
    before,
    'nothing is doubled',
  );
  for (const image of images) t.equal(pstorefuse('ls', image).stdout, '');
  t.match(pstorefuse('archive', '--erase', ...images, archive), { status: 0, stdout: '' });
  t.end();
});

t.test('labels, machines and what was changed', (t) => {
  const folder = scratchFolder(t);
  const image = imageFile(folder, 's3');
  const archive = join(folder, 'archive');
  pstorefuse('archive', `${image},label=board-7`, archive);
  const [path] = filesOf(archive);
  t.match(path, /^board-7\//);
  writeFileSync(join(archive, path!), 'somebody wrote here');
  rmSync(join(archive, 'index.ndjson'));
  const again = pstorefuse('archive', '--erase', `${image},label=board-7`, archive);
  t.equal(again.status, 0, again.stderr);
  t.equal(readFileSync(join(archive, path!), 'utf8'), 'somebody wrote here', 'a file is never written over');
  t.ok(filesOf(archive).some((file) => file.startsWith(path!.slice(0, -8)) && file.length > path!.length));

  const lost = indexOf(archive).find(({ path }) => path.includes('dmesg'))!;
  rmSync(join(archive, lost.path));
  writeFileSync(image, goldenImage('s3'));
  t.equal(pstorefuse('archive', `${image},label=board-7`, archive).stdout, `${join(archive, lost.path)}\n`);

  t.match(pstorefuse('archive', image), { status: 64, stderr: /give sources and then the folder/ });
  t.match(pstorefuse('archive', image, image), { status: 73 }, 'a file is no folder');
  t.match(pstorefuse('archive', '--layout', 'odd', image, archive), { status: 64 });
  t.end();
});

t.test('nothing is written through a link inside the archive', (t) => {
  const folder = scratchFolder(t);
  const image = imageFile(folder, 's3');
  for (const layout of ['pstorefuse', 'systemd']) {
    const [archive, outside] = [join(folder, `${layout}-archive`), join(folder, `${layout}-outside`)];
    const source = layout === 'systemd' ? imageFile(folder, 'efi-oops3') : image;
    const args = ['archive', '--layout', layout, source];
    for (const path of [archive, outside]) mkdirSync(path);
    const names = new Set(
      pstorefuse(...args, '--dry-run', archive)
        .stdout.trim()
        .split('\n')
        .map((path) => path.slice(archive.length + 1).split('/')[0]!),
    );
    for (const name of names) symlinkSync(outside, join(archive, name));
    const linked = pstorefuse(...args, archive);
    t.match(linked, {
      status: 73,
      stdout: '',
      stderr: /is a link, through which archive writes nothing; move it away/,
    });
    t.same(readdirSync(outside), [], layout);
    for (const name of names) rmSync(join(archive, name));
    for (const name of names) writeFileSync(join(archive, name), '');
    t.match(
      pstorefuse(...args, archive),
      { status: 73, stderr: /is no folder; move it away/ },
      'a file is none either',
    );
    for (const name of names) rmSync(join(archive, name));
    symlinkSync(archive, join(folder, `${layout}-link`));
    t.match(pstorefuse(...args, join(folder, `${layout}-link`)), { status: 0 }, 'the archive itself may be a link');
  }
  t.end();
});

t.test('as systemd-pstore lays it out', (t) => {
  const folder = scratchFolder(t);
  const images = GOLDEN.map((golden) => imageFile(folder, golden));
  const archive = join(folder, 'archive');
  const records = images.flatMap(recordsOf);
  mkdirSync(archive);
  writeFileSync(join(archive, 'dmesg-pstore_blk-0'), 'an older one');
  mkdirSync(join(archive, '1640995212', '002'), { recursive: true });
  writeFileSync(join(archive, '1640995212', '002', 'dmesg.txt'), 'an older one');
  t.match(pstorefuse('archive', '--erase', '--layout', 'systemd', ...images, archive), { status: 0 });
  const files = filesOf(archive);
  t.ok(files.includes('1640995208/001/dmesg.txt') && files.includes('1640995212/002.1/dmesg.txt'));
  t.ok(files.includes('dmesg-pstore_blk-0.1') && files.includes('dmesg-pstore_blk-1'));
  t.equal(readFileSync(join(archive, 'dmesg-pstore_blk-0'), 'utf8'), 'an older one');
  t.equal(readFileSync(join(archive, '1640995212/002/dmesg.txt'), 'utf8'), 'an older one');
  const kept = files.map((file) => sha256(readFileSync(join(archive, file))));
  for (const record of records) t.ok(kept.includes(record.split(' ')[1]!), record);
  const whole = readFileSync(join(archive, '1640995208/001/dmesg.txt'), 'latin1');
  t.match(whole, /^Oops#1 Part13\n[\s\S]*\nOops#1 Part12\n[\s\S]*\nOops#1 Part1\n/);
  for (const [i, golden] of GOLDEN.entries()) writeFileSync(images[i]!, goldenImage(golden));
  t.match(pstorefuse('archive', '--layout', 'systemd', ...images, archive), { status: 0, stdout: '' });
  t.same(filesOf(archive), files, 'nothing is doubled');
  t.end();
});

t.test('what a format erases together is archived together, or not erased', (t) => {
  const folder = scratchFolder(t);
  for (const [file, bytes] of [
    ['phone.raw', secondTextImage()],
    ['fadump.bin', buildFadump({ endian: 'big', layout: 'new' })],
  ] as const) {
    const image = join(folder, file);
    writeFileSync(image, bytes);
    const listed = recordsOf(image);
    const archive = join(folder, `${file}.archive`);
    t.match(pstorefuse('archive', '--erase', image, archive), { status: 0, stderr: '' });
    const parts = indexOf(archive).flatMap((line) => line.parts);
    t.same(parts.map(({ name, sha256 }) => `${name} ${sha256}`).sort(), listed.sort(), `all of ${file} is archived`);
  }
  const image = join(folder, 'phone.raw');
  writeFileSync(image, secondTextImage());
  const archive = join(folder, 'in-the-way');
  t.equal(pstorefuse('archive', image, archive).status, 0);
  const kept = indexOf(archive).find(({ path }) => path.includes('logcat-mtdoops-2'))!;
  rmSync(join(archive, kept.path));
  for (const digits of [8, 64]) {
    mkdirSync(join(archive, kept.path.replace(/[0-9a-f]{8}$/, kept.sha256.slice(0, digits))));
  }
  for (const line of indexOf(archive))
    if (line.path !== kept.path && line.path.includes('logcat')) rmSync(join(archive, line.path));
  const { status, stderr } = pstorefuse('archive', '--erase', image, archive);
  t.equal(status, 1);
  t.match(stderr, /dmesg-mtdoops-2 is not erased, because logcat-mtdoops-2 would go with it and is not archived\n/);
  t.equal(
    pstorefuse('ls', `${image},record_size=16K`).stdout,
    'dmesg-mtdoops-2\nlogcat-mtdoops-2\n',
    'nothing is lost',
  );
  t.end();
});

t.test('what went with another record is erased, too, for rm', (t) => {
  const image = join(scratchFolder(t), 'phone.raw');
  writeFileSync(image, secondTextImage());
  t.match(pstorefuse('rm', image, 'dmesg-mtdoops-0', 'logcat-mtdoops-0'), { status: 0, stderr: '' });
  t.match(pstorefuse('rm', image, 'logcat-mtdoops-0'), { status: 66 });
  t.end();
});

t.test('killed at any call that changes a file, nothing is lost, doubled or half written', async (t) => {
  const random = new Random(20261127);
  for (const [layout, kills] of [[[], KILLS] as const, [['--layout', 'systemd'], KILLS / 4] as const]) {
    const outcome = surviveKills(join(scratchFolder(t), 'killed'), kills, random, layout);
    t.same(outcome.wrong, []);
    t.ok(outcome.calls > 100, 'the calls were counted');
  }
});

t.test('a record of several zones, of which some are erased, is not archived twice', async (t) => {
  // The zones of two processors are one ftrace record, and erased one after the other.
  for (const layout of [[], ['--layout', 'systemd']]) {
    t.same(surviveLateKills(join(scratchFolder(t), 'late'), 's3', 5, layout), [], layout.join(' '));
  }
});

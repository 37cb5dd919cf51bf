// Every command line in README.md and docs/ is read from there and tried, so that none of them goes out of date.
//
// In README.md a block marked `sh` is run, by a shell, in a folder with the images it names; `sh mount` where root can
// mount. `console` is a session: what stands behind `$ ` is run, and must print what follows. `sh device` needs a device,
// and is only read, as all lines in docs/ are: our command must be there, and know each option.

import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { COMMAND_NAMES } from '../../lib/cli/main.js';
import { goldenImage, ROOT } from '../fixture-path.js';

t.setTimeout(390_000);
const canMount = process.getuid!() === 0 && existsSync('/dev/fuse');
const bin = mkdtempSync(join(tmpdir(), 'pstorefuse-command-'));
symlinkSync(join(ROOT, 'dist/bin/pstorefuse'), join(bin, 'pstorefuse'));
t.teardown(() => rmSync(bin, { recursive: true, force: true }));

/** A folder with the images that the blocks name. */
function folderOfImages(): string {
  const folder = mkdtempSync(join(bin, 'images-'));
  writeFileSync(join(folder, 'part.raw'), goldenImage('v1'));
  // A kernel has erased a record in it.
  writeFileSync(join(folder, 'copy.raw'), goldenImage('v3'));
  writeFileSync(join(folder, 'nand.raw'), goldenImage('mtdoops-1'));
  writeFileSync(join(folder, 'OVMF_VARS.fd'), goldenImage('efi-oops3'));
  const unknown = new Uint8Array(4 << 20);
  unknown.set(goldenImage('s1'), 1 << 20);
  writeFileSync(join(folder, 'unknown.bin'), unknown);
  for (const name of ['fleet', 'mnt']) mkdirSync(join(folder, name));
  for (const name of ['v1', 'v2', 's1']) writeFileSync(join(folder, 'fleet', `${name}.raw`), goldenImage(name));
  return folder;
}

function shell(script: string, cwd: string) {
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
  const { status, stdout, stderr } = spawnSync('sh', ['-ec', script], { cwd, env, encoding: 'utf8', timeout: 120_000 });
  return { status, stdout, stderr };
}

interface Block {
  readonly mark: string;
  readonly text: string;
}

function blocksOf(file: string): Block[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return [...text.matchAll(/^```([a-z ]*)\n([\s\S]*?)^```$/gm)].map(([, mark, inside]) => ({
    mark: mark!,
    text: inside!,
  }));
}

const blocks = blocksOf('README.md');

t.test('the recipes of README.md run', async (t) => {
  const recipes = blocks.filter(({ mark }) => mark === 'sh' || (mark === 'sh mount' && canMount));
  t.ok(recipes.length >= 10, `${recipes.length} blocks`);
  for (const { text } of recipes) {
    const { status, stderr } = shell(text, folderOfImages());
    t.equal(status, 0, `${text}${stderr}`);
  }
});

t.test('the session in README.md prints what it shows', async (t) => {
  const folder = folderOfImages();
  const steps = blocks.filter(({ mark }) => mark === 'console').flatMap(({ text }) => text.split(/^\$ /m).slice(1));
  t.ok(steps.length >= 3, `${steps.length} commands`);
  for (const step of steps) {
    const [command = '', ...shown] = step.split('\n');
    t.equal(shell(command, folder).stdout, shown.join('\n'), command);
  }
});

/** Command lines of ours: in a block, fenced or by four spaces, and in a table's or a sentence's quotes. */
function commandLines(text: string): string[] {
  const quoted = [...text.matchAll(/`(pstorefuse [^`]+)`/g)].map(([, line]) => line!);
  const lines = text
    .split('\n')
    .flatMap((line) => /^(?: {4}(?!\[)|\$ |\S.*\| )?(pstorefuse .*)$/.exec(line)?.[1] ?? []);
  return [...quoted, ...lines];
}

const helps = new Map<string, string>();

function helpOf(command: string): string {
  const known = helps.get(command);
  if (known !== undefined) return known;
  const help = shell(`pstorefuse ${command} --help`, bin).stdout;
  helps.set(command, help);
  return help;
}

/** What of a command line its command does not know. */
function unknownIn(line: string): string[] {
  const [ours = ''] = line.replace(/ {2,}#.*$/, '').split(/ [|<>]+ ?|;|&&| -- /);
  const [, ...words] = ours.trim().split(/\s+/);
  const named = words[0] === 'COMMAND' || (COMMAND_NAMES as readonly string[]).includes(words[0] ?? '');
  const command = named ? words[0]! : 'mount';
  if (command === 'COMMAND') return [];
  const help = helpOf(command);
  const options = words.filter((word) => /^--?[a-zA-Z]/.test(word)).map((word) => word.replace(/[=,;:].*$/, ''));
  return options.filter(
    (option) => !new RegExp(`(^|[\\s,\\[(])${option}\\b`, 'm').test(help) && !isShortWithValue(option, help),
  );
}

/** As in -j2. */
function isShortWithValue(option: string, help: string): boolean {
  return /^-[a-z]\d+$/.test(option) && new RegExp(`(^|\\s)${option.slice(0, 2)}\\b`, 'm').test(help);
}

const pages = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];

t.test('our command knows every option in README.md and docs/', async (t) => {
  let count = 0;
  for (const page of pages) {
    for (const line of commandLines(readFileSync(join(ROOT, page), 'utf8'))) {
      count++;
      t.same(unknownIn(line), [], `${page}: ${line}`);
    }
  }
  t.ok(count > 60, `${count} command lines`);
});

t.test('README.md names no page that is not there', async (t) => {
  for (const [, path] of readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/\]\(([^)#:]+)\)/g)) {
    t.ok(existsSync(join(ROOT, path!)), path!);
  }
});

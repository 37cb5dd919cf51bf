// Completion and manual pages: from the table of the help, and accepted by the shells and by mandoc.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { commandsFor } from '../../lib/cli/commands.js';
import { COMMAND_NAMES } from '../../lib/cli/main.js';
import { mainPage, manualPages } from '../../lib/cli/manual.js';
import { commandTable, dashed } from '../../lib/cli/option-table.js';
import { ROOT } from '../fixture-path.js';
import { imageFile, pstorefuse, SCRIPT, scratchFolder } from '../mounted.js';

const has = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const missing = (program: string) => (has(program) ? false : `${program} is not installed`);

t.test('what bash offers', { skip: missing('bash') }, async (t) => {
  const folder = scratchFolder(t);
  const image = imageFile(folder, 's3');
  const script = join(folder, 'completion.bash');
  writeFileSync(script, pstorefuse('completion', 'bash').stdout);
  const offers = (...words: string[]) => {
    const list = words.map((word) => `'${word}'`).join(' ');
    const call = `. ${script}; pstorefuse() { ${SCRIPT} "$@"; }; COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _pstorefuse; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return spawnSync('bash', ['-c', call], { encoding: 'utf8', cwd: folder }).stdout.trim().split('\n');
  };
  t.same(offers('pstorefuse', 'arch'), ['archive']);
  t.same(offers('pstorefuse', 'ls', '--si'), ['--since']);
  t.same(
    offers('pstorefuse', 'cat', image, 'dmesg-'),
    [0, 1, 2].map((id) => `dmesg-pstore_blk-${id}`),
  );
  t.same(offers('pstorefuse', 'ls', '-o', 'kmsg_'), ['kmsg_size']);
  t.same(offers('pstorefuse', 'ls', 's3.raw,kmsg_'), ['s3.raw,kmsg_size']);
  t.same(offers('pstorefuse', 'ls', 's3'), ['s3.raw']);
  t.same(offers('pstorefuse', 'completion', 'z'), ['zsh']);
  t.same(offers('pstorefuse', 'undelete', imageFile(folder, 's5'), 'dmesg-'), ['dmesg-pstore_blk-1']);
  t.same(offers('pstorefuse', 'overlay', 's'), ['status']);
  t.same(offers('pstorefuse', 'overlay', 'status', 's3'), ['s3.raw']);
});

for (const shell of ['bash', 'zsh', 'fish']) {
  t.test(`${shell} reads its script`, { skip: missing(shell) }, async (t) => {
    const file = join(scratchFolder(t), 'script');
    writeFileSync(file, pstorefuse('completion', shell).stdout);
    const { status, stderr } = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
    t.match({ status, stderr }, { status: 0, stderr: '' });
  });
}

t.test('another shell', async (t) => {
  t.match(pstorefuse('completion', 'csh'), { status: 64, stderr: /known are bash, zsh, fish/ });
});

t.test('a manual page for each command, with each of its options', async (t) => {
  const pages = await manualPages('0.0');
  t.same([...pages.keys()].sort(), ['mount', ...COMMAND_NAMES].map((name) => `pstorefuse-${name}.1`).sort());
  const { man } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  for (const name of pages.keys()) t.ok(man.includes(`dist/man/${name}`), `package.json names ${name}`);
  t.ok(man.includes('dist/man/pstorefuse.1'));
  const main = (await mainPage(readFileSync(join(ROOT, 'man', 'pstorefuse.1'), 'utf8'))).replaceAll('\\-', '-');
  t.notMatch(main, /^\.\\" (?:COMMAND|USAGE) /m, 'every mark is replaced');
  const shared = new Set(['-o', '--backend', '--strict', '--salvage', '--no-cap']);
  for (const { name, options } of commandTable(await commandsFor(undefined))) {
    const text = pages.get(`pstorefuse-${name}.1`)!.replaceAll('\\-', '-');
    for (const { names } of options) {
      for (const one of names.map(dashed)) t.ok(text.includes(`\\fB${one}\\fR`), `${name} ${one}`);
      for (const one of names.map(dashed).filter((own) => !shared.has(own)))
        t.ok(main.includes(`\\fB${one}\\fR`), `pstorefuse(1) has ${one} of ${name}`);
    }
  }
});

t.test('mandoc finds nothing wrong', { skip: missing('mandoc') }, async (t) => {
  const files = [...(await manualPages('0.0'))].map(([name, text]) => [name, text] as const);
  const source = (name: string) => readFileSync(join(ROOT, 'man', name), 'utf8');
  const own = [
    ['pstorefuse.1', await mainPage(source('pstorefuse.1'))] as const,
    ['pstorefuse-formats.5', source('pstorefuse-formats.5')] as const,
  ];
  for (const [name, input] of [...files, ...own]) {
    const { stdout } = spawnSync('mandoc', ['-Tlint', '-Wwarning'], { input, encoding: 'utf8' });
    t.equal(
      stdout
        .split('\n')
        .filter((line) => !/missing date|cannot parse date/.test(line))
        .join('\n')
        .trim(),
      '',
      name,
    );
  }
});

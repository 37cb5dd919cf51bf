import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { bytecodePath, load, writeBytecode } from '../../lib/cli/bytecode.js';
import { LEAN } from '../../lib/mount/launch.js';
import { ROOT } from '../fixture-path.js';
import { scratchFolder } from '../mounted.js';

interface Numbers {
  half(n: number): number;
  readonly file: string;
}

const BUNDLE = `
const { basename } = require('node:path');
exports.half = (n) => n / 2;
exports.file = basename(__filename);
`;

t.test('a bundle, with and without its bytecode', async (t) => {
  const path = join(scratchFolder(t), 'numbers.js');
  writeFileSync(path, BUNDLE);
  const check = (when: string) => {
    const { half, file } = load<Numbers>(path);
    t.same([half(6), file], [3, 'numbers.js'], when);
  };
  check('none');
  writeBytecode(path, []);
  t.ok(existsSync(bytecodePath(path)));
  check('its own');
  writeFileSync(path, BUNDLE.replace('n / 2', '(n + 6) / 4'));
  check('of an older bundle');
  writeFileSync(bytecodePath(path), 'not bytecode');
  check('rubbish');
});

/** Whether a Node with these flags takes what was made at the build: says `false` for `not rejected`. */
function isRejected(bundle: string, flags: readonly string[]): string {
  const path = join(ROOT, 'dist', 'bin', bundle);
  const script = `
    const { readFileSync } = require('node:fs');
    const source = '(function (exports, require, module, __filename, __dirname) {' + readFileSync(process.argv[1], 'latin1') + '\\n})';
    const cachedData = readFileSync(process.argv[2]);
    console.log(new (require('node:vm').Script)(source, { filename: process.argv[1], cachedData }).cachedDataRejected);
  `;
  const env = { PATH: process.env.PATH };
  return spawnSync(process.execPath, [...flags, '-e', script, path, bytecodePath(path)], { env, encoding: 'utf8' })
    .stdout;
}

t.test('the bytecode of the build fits the flags that the bundles run with', async (t) => {
  t.equal(isRejected('pstorefuse-serving.js', LEAN), 'false\n');
  t.equal(isRejected('pstorefuse-commands.js', []), 'false\n');
  t.equal(isRejected('pstorefuse-commands.js', ['--max-lazy']), 'true\n', 'others are noticed');
});
